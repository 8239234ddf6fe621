import { type Command } from 'commander';
import { type SignOptions } from '../actions/keys';
import { jsonOption } from '../shared/options';
import { withSession } from '../system/session';

const HELP = `
Keys are Ed25519, in files (PEM). Make a pair with OpenSSL, and keep the private half where models are deployed, alone:
  $ openssl genpkey -algorithm ed25519 -out signing.pem && chmod 600 signing.pem
  $ openssl pkey -in signing.pem -pubout -out trusted.pem

With FEDLOOP_SIGNING_KEY=signing.pem a process signs models, stages and settings that it writes to model-deployments; with
FEDLOOP_TRUSTED_KEYS=trusted.pem a process refuses those that none of these keys has signed. A fleet that has run without keys
signs what it has once, while no round runs: this command puts your signature to what stands in the log, whoever wrote it.

Examples:
  $ FEDLOOP_SIGNING_KEY=signing.pem fedloop keys sign --dry-run
  $ FEDLOOP_SIGNING_KEY=signing.pem fedloop keys sign
`;

/** `fedloop keys`: signatures of what is deployed. */
export function registerKeys(program: Command): void {
  const keys = program
    .command('keys')
    .summary('sign what has been deployed without keys')
    .description('Keys that models, stages and settings are signed with.')
    .addHelpText('after', HELP);
  keys
    .command('sign')
    .description(
      'Sign the latest models, stages and settings in model-deployments, where one of them is not signed yet.',
    )
    .option('--dry-run', 'say what would be signed, and write nothing')
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action((options: SignOptions) =>
      withSession(async (session) => {
        const { signDeployments } = await import('../actions/keys.js');
        await signDeployments(session, options);
      }),
    );
}
