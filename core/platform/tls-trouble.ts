import { certificateFault } from '../contracts/certificate-faults';

/** Alerts of TLS (RFC 8446, 6.2) by which a broker refuses our certificate, or that we have none, as OpenSSL names them. */
const OWN_CERTIFICATE_REFUSED =
  /ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_\w+|UNKNOWN_CA|HANDSHAKE_FAILURE|ACCESS_DENIED)$/;

/** Who was spoken with, with which certificates, and the variables that name them. */
export interface TlsAttempt {
  /** As in "the certificate of …". */
  readonly server: string;
  readonly names: {
    readonly address: string;
    readonly ca: string;
    readonly certificate: string;
    readonly key: string;
  };
  readonly hasCa: boolean;
  readonly hasCertificate: boolean;
}

/** Why TLS failed, in one sentence, and what to do. @returns undefined for an error that is not about certificates. */
export function tlsTrouble(
  cause: unknown,
  attempt: TlsAttempt,
): { readonly message: string; readonly hint: string } | undefined {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  const { server, names, hasCa } = attempt;
  const certificate = `the certificate of ${server}`;
  switch (certificateFault(code)) {
    case 'out-of-date':
      return {
        message: `${certificate} is out of date`,
        hint: 'Renew it, and check the clock of this machine.',
      };
    case 'other-name':
      return {
        message: `${certificate} is for another name`,
        hint: `Give ${names.address}, and what the server says its own address is, with a name that it has.`,
      };
    case 'unknown-authority':
      return hasCa
        ? {
            message: `${certificate} is not signed by those in the file of ${names.ca}`,
            hint: 'Name the file with the certificate of the authority that has signed it.',
          }
        : {
            message: `${certificate} is signed by an unknown authority`,
            hint: `Name the file with the authority’s certificate in ${names.ca}.`,
          };
    case undefined:
      return typeof code === 'string' && OWN_CERTIFICATE_REFUSED.test(code)
        ? certificateRefused(attempt)
        : undefined;
  }
}

/** A server has looked at our certificate, or found that there is none. */
export function certificateRefused({ server, names, hasCertificate }: TlsAttempt): {
  readonly message: string;
  readonly hint: string;
} {
  return hasCertificate
    ? {
        message: `${server} refuses our certificate`,
        hint: `Let ${names.certificate} and ${names.key} name one that is signed by an authority which it trusts, and not out of date.`,
      }
    : {
        message: `${server} lets nobody in without a certificate`,
        hint: `Name the files of one and of its key in ${names.certificate} and ${names.key}.`,
      };
}
