import Kernel
import NIOSSL

/// TLS on the proxy's two sides. Neither by default: the proxy is meant for loopback.
package struct ProxyEncryption: Sendable {
  /// What clients are offered; nil answers their request with no.
  let clients: NIOSSLContext?
  /// DER of the certificate that clients see.
  let certificate: [UInt8]?
  let upstream: NIOSSLContext?
  /// Checked against the server's certificate; nil where the name is not checked, or is an address.
  let serverName: String?

  package static let none = ProxyEncryption()

  /// Whether clients can speak TLS to the proxy.
  package var isOffered: Bool { clients != nil }

  private init() {
    clients = nil
    certificate = nil
    upstream = nil
    serverName = nil
  }

  /// A certificate chain and its key, PEM files.
  package struct KeyPair: Equatable, Sendable {
    package var certificate: String
    package var key: String

    package init(certificate: String, key: String) {
      self.certificate = certificate
      self.key = key
    }
  }

  /// How the proxy speaks to the server; libpq's words for it.
  package enum Upstream: Equatable, Sendable {
    case disable
    /// Encrypted, and the certificate is not checked.
    case require
    /// The certificate must lead to one of `roots`, a PEM file, or to the system's roots; not checked for its name.
    case verifyCA(roots: String?)
    /// And its name must be the host's.
    case verifyFull(roots: String?, host: String)
  }

  /// - Throws: `Refusal` for files that cannot be read or do not fit together.
  package init(clients pair: KeyPair?, upstream mode: Upstream) throws(Refusal) {
    if let pair {
      let chain: [NIOSSLCertificate]
      do {
        chain = try NIOSSLCertificate.fromPEMFile(pair.certificate)
        guard let leaf = chain.first else {
          throw Refusal(.malformed, "\(pair.certificate) holds no certificate; name a PEM file.")
        }
        certificate = try leaf.toDERBytes()
      } catch let refusal as Refusal {
        throw refusal
      } catch {
        throw Refusal(
          .malformed, "\(pair.certificate) is no PEM certificate that can be read (\(error)); name another.")
      }
      do {
        let key = try NIOSSLPrivateKey(file: pair.key, format: .pem)
        var configuration = TLSConfiguration.makeServerConfiguration(
          certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        // Clients that begin with TLS (sslnegotiation=direct) insist on it.
        configuration.applicationProtocols = ["postgresql"]
        clients = try NIOSSLContext(configuration: configuration)
      } catch {
        throw Refusal(
          .malformed, "\(pair.key) is no key in PEM without a password that fits \(pair.certificate) (\(error)).")
      }
    } else {
      clients = nil
      certificate = nil
    }
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    func trust(_ roots: String?) { if let roots { configuration.trustRoots = .file(roots) } }
    switch mode {
    case .disable:
      upstream = nil
      serverName = nil
      return
    case .require:
      configuration.certificateVerification = .none
      serverName = nil
    case .verifyCA(let roots):
      configuration.certificateVerification = .noHostnameVerification
      trust(roots)
      serverName = nil
    case .verifyFull(let roots, let host):
      configuration.certificateVerification = .fullVerification
      trust(roots)
      serverName = host
    }
    do {
      upstream = try NIOSSLContext(configuration: configuration)
    } catch {
      throw Refusal(.malformed, "TLS towards the server cannot be set up (\(error)); name a PEM file of roots.")
    }
  }
}
