import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** An authority made by openssl, and certificates that it signs. Files are PEM, keys are PKCS #8. */
export class Authority {
  private count = 0;

  private constructor(
    private readonly folder: string,
    private readonly name: string,
  ) {}

  static make(folder: string, name: string): Authority {
    const authority = new Authority(folder, name);
    openssl(
      ...['req', '-x509', ...NEW_KEY, '-days', '2', '-subj', `/CN=${name}`],
      ...['-keyout', authority.file('key'), '-out', authority.certificate],
    );
    return authority;
  }

  get certificate(): string {
    return this.file('pem');
  }

  /** A certificate for this machine, or for a client of that name. */
  sign(subject: string, { days = 2 }: { readonly days?: number } = {}): Signed {
    this.count += 1;
    const base = join(this.folder, `${this.name}-${subject}-${this.count}`);
    const [request, key, certificate] = [`${base}.csr`, `${base}.key`, `${base}.pem`];
    const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost';
    openssl(
      ...['req', ...NEW_KEY, '-subj', `/CN=${subject}`, '-addext', names],
      ...['-keyout', key, '-out', request],
    );
    openssl(
      ...['x509', '-req', '-in', request, '-CA', this.certificate, '-CAkey', this.file('key')],
      ...['-CAcreateserial', '-copy_extensions', 'copy', '-days', String(days), '-out', certificate],
    );
    return { key, certificate };
  }

  private file(ending: string): string {
    return join(this.folder, `${this.name}.${ending}`);
  }
}

export interface Signed {
  readonly key: string;
  readonly certificate: string;
}

/** The key, behind a password. */
export function lockKey({ key }: Signed, password: string): string {
  openssl('pkcs8', '-topk8', '-in', key, '-out', `${key}.locked`, '-passout', `pass:${password}`);
  return `${key}.locked`;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

function openssl(...words: readonly string[]): void {
  execFileSync('openssl', words, { stdio: ['ignore', 'ignore', 'pipe'] });
}
