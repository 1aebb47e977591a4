/// The text beside each number. Delivery measures follow DORA's guide (dora.dev, "DORA's software delivery
/// performance metrics", 2026), in our words; where ours is narrower, it says so.
enum Definition {
  static let deployments =
    "A deployment is one artifact with one configuration in one environment of one service, counted when it first "
    + "reached all traffic or was condemned. Repeats of the same one and rollbacks are not counted again."
  static let frequency = "Deployments divided by the days of the window as asked for."
  static let failureRate =
    "The share of deployments that needed immediate intervention: here, that were condemned and taken back, by the "
    + "judge or by a person, at any time since."
  static let velocity =
    "Deployments per day divided by the change failure rate: frequent deployments count only as far as they are safe."
  static let leadTime =
    "For each commit, from when it was committed to when the first deployment that carries it reached all traffic. A "
    + "commit whose previous deployment is not known is not given a guessed time."
  static let queueWait = "From when a change was submitted to the queue to when it landed on the trunk."
  static let wait =
    "From when a change was submitted to the queue, or approved where that is required, to when it landed on the trunk "
    + "or left the queue without, split by what it waited for; the parts sum to the whole."
  static let promotionTime =
    "From when a change landed on the trunk to when it first served all traffic in the environment; superseded and "
    + "halted changes have none."
  static let recovery =
    "For each failed deployment, from its first bad response (or its detection, when no request saw it) to known-good "
    + "serving all traffic again. With nobody to return to, it has not recovered."
  static let rework =
    "The share of deployments that were not planned but made to mend what users met. Not measured: no fact says yet "
    + "that a deployment was unplanned."
  static let rollbackShare = "Rollbacks of this cause, and their share of deployments."
  static let requestsHurt =
    "Bad responses, failed or too slow, of versions that were rolled back; at least so many where evidence is missing."
  static let clientMinutes =
    "Minutes in which a client met a bad response, summed over clients; only of rollbacks with evidence."
  static let detectionToRestored =
    "From the evidence that decided to known-good serving all traffic: the time to stop the bleeding, not to mend "
    + "the cause."
}
