import { readFileSync } from 'node:fs';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  ResourcePatternTypes,
  type AclEntry,
} from 'kafkajs';
import { packageFile } from '../../cli/shared/package-root';

const { DESCRIBE, READ, WRITE, DELETE } = AclOperationTypes;
const { TOPIC, GROUP } = AclResourceTypes;

/** What the columns of the table behind that of the role grant. */
const COLUMNS = [
  { resourceType: TOPIC, operations: [DESCRIBE] },
  { resourceType: TOPIC, operations: [READ] },
  { resourceType: TOPIC, operations: [WRITE] },
  { resourceType: GROUP, operations: [READ, DELETE] },
  { resourceType: GROUP, operations: [DESCRIBE] },
] as const;

/** ACLs that `docs/scaling.md` gives a role, for a user of its name. */
export function documentedAcls(role: string, prefix: string): AclEntry[] {
  const rows = readFileSync(packageFile('docs', 'scaling.md'), 'utf8')
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, name = '']) => name === 'every one' || name.split(' ')[0] === role);
  return rows.flatMap(([, , ...cells]) =>
    COLUMNS.flatMap(({ resourceType, operations }, index) =>
      [...(cells[index] ?? '').matchAll(/`([a-z*-]+)`/g)].flatMap(([, name = '']) =>
        operations.map((operation) => ({
          resourceType,
          resourceName: resourceNameOf(name, prefix),
          resourcePatternType: name.endsWith('*')
            ? ResourcePatternTypes.PREFIXED
            : ResourcePatternTypes.LITERAL,
          principal: `User:${role}`,
          host: '*',
          operation,
          permissionType: AclPermissionTypes.ALLOW,
        })),
      ),
    ),
  );
}

function resourceNameOf(name: string, prefix: string): string {
  const start = name.replace(/\*$/, '');
  return start === 'tail-' ? `tail-${prefix}` : prefix + start;
}
