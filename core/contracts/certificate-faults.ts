/** What can be wrong with a server's certificate. */
export type CertificateFault = 'unknown-authority' | 'out-of-date' | 'other-name';

/** Codes of OpenSSL's verification (`openssl verify`, "Diagnostics") and of Node's own check of names. */
const FAULTS: Readonly<Record<string, CertificateFault>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'unknown-authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'unknown-authority',
  UNABLE_TO_GET_ISSUER_CERT: 'unknown-authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknown-authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknown-authority',
  CERT_SIGNATURE_FAILURE: 'unknown-authority',
  CERT_HAS_EXPIRED: 'out-of-date',
  CERT_NOT_YET_VALID: 'out-of-date',
  ERR_TLS_CERT_ALTNAME_INVALID: 'other-name',
};

/** @returns undefined for errors that are not about a certificate. */
export function certificateFault(code: unknown): CertificateFault | undefined {
  return typeof code === 'string' && Object.hasOwn(FAULTS, code) ? FAULTS[code] : undefined;
}
