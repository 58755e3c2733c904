// The user's keys about TLS: of the listeners, and of the connections to receivers. Kafka's stand with Kafka.
import { AnyText, Optional, OriginPatterns } from './rules.js';

/** All of them name PEM files, which are read again when they change. */
export class TlsSection {
  /** A PEM file: the certificate, with its chain, that callers are shown. Calls come in over TLS when it is set. */
  @Optional()
  @AnyText()
  'http.server.tls.cert'?: string;

  /** A PEM file: the key of that certificate, not encrypted. */
  @Optional()
  @AnyText()
  'http.server.tls.key'?: string;

  /** A PEM file: callers must show a certificate that one of these authorities has signed. */
  @Optional()
  @AnyText()
  'http.server.tls.client.ca'?: string;

  /** A PEM file: the certificate of the management listener, which speaks TLS when it is set. */
  @Optional()
  @AnyText()
  'management.tls.cert'?: string;

  /** A PEM file: the key of that certificate, not encrypted. */
  @Optional()
  @AnyText()
  'management.tls.key'?: string;

  /** A PEM file: operators must show a certificate that one of these authorities has signed. */
  @Optional()
  @AnyText()
  'management.tls.client.ca'?: string;

  /** A PEM file: the certificate that callers over gRPC are shown, who come in over TLS when it is set. */
  @Optional()
  @AnyText()
  'grpc.server.tls.cert'?: string;

  /** A PEM file: the key of that certificate, not encrypted. */
  @Optional()
  @AnyText()
  'grpc.server.tls.key'?: string;

  /** A PEM file: callers over gRPC must show a certificate that one of these authorities has signed. */
  @Optional()
  @AnyText()
  'grpc.server.tls.client.ca'?: string;

  /** A PEM file: authorities that receivers' certificates may be signed by, beside the system's own. */
  @Optional()
  @AnyText()
  'egress.tls.ca'?: string;

  /** A PEM file: the certificate that receivers are shown which ask for one. */
  @Optional()
  @AnyText()
  'egress.tls.cert'?: string;

  /** A PEM file: the key of that certificate, not encrypted. */
  @Optional()
  @AnyText()
  'egress.tls.key'?: string;

  /** Which receivers are shown it; all that ask when absent. */
  @Optional()
  @OriginPatterns()
  'egress.tls.origins'?: string[];
}
