import { spawnSync } from 'node:child_process';

/** A program that some tests need and that a machine may lack. */
export interface Requirement {
  /** What brings it, in words that a person can act on. */
  readonly from: string;
  /** Commands that succeed where it is installed. */
  readonly probes: readonly (readonly [program: string, ...words: string[]])[];
}

export const PROMETHEUS: Requirement = {
  from: 'Debian package prometheus',
  probes: [
    ['prometheus', '--version'],
    ['promtool', '--version'],
  ],
};
export const MOSQUITTO: Requirement = {
  from: 'Debian package mosquitto',
  // Asked for its options, it ends with 3 in older releases and 0 in newer ones.
  probes: [['sh', '-c', 'command -v mosquitto']],
};
export const OPENSSL: Requirement = {
  from: 'Debian package openssl',
  probes: [['openssl', 'version']],
};
export const MOSQUITTO_TLS: Requirement = {
  from: 'Debian packages mosquitto and openssl',
  probes: [...MOSQUITTO.probes, ...OPENSSL.probes],
};
export const PYTHON: Requirement = {
  from: 'Debian package python3-venv',
  // Debian splits what `python3 -m venv` needs from the interpreter.
  probes: [['python3', '-c', 'import ensurepip, venv']],
};
/** Small disks, and disks that may not be written: in a name space of its own a process mounts nothing of ours. */
export const MOUNT: Requirement = {
  from: 'the right to mount a tmpfs (root)',
  probes: [['unshare', '--mount', 'mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', '/mnt']],
};

/**
 * `describe` for tests that need a program. Where it is missing the group is skipped, and its name ends with what would run it:
 * `outcome-reporter.js` lists skipped groups by that. The only way in which a test of this repository may be skipped.
 */
export function describeWith(requirement: Requirement, name: string, body: () => void): void {
  if (isInstalled(requirement)) describe(name, body);
  else describe.skip(`${name} [needs: ${requirement.from}]`, body);
}

function isInstalled({ probes }: Requirement): boolean {
  return probes.every(([program, ...words]) => spawnSync(program, words).status === 0);
}
