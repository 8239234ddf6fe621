interface Lock {
  readonly packages: Readonly<Record<string, { readonly license?: string; readonly dev?: boolean }>>;
}
export function isAllowed(expression: string | undefined): boolean;
export function forbidden(
  lock: Lock,
  licenseOf: (path: string) => string | undefined,
): readonly { readonly path: string; readonly license: string | undefined }[];
export function readAudit(
  text: string,
): { readonly findings: readonly string[] } | { readonly unreachable: string };
