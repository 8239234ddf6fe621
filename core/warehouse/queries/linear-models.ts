/**
 * SQL of the linear models of rounds since `first`, each with the network that was elected beside it, as `round`, `candidate` (the linear
 * model) and `champion` (the network); a try of a round has one of each.
 */
export function linearPairsSql(first: number): string {
  return `SELECT linear.round AS round, linear.model_version AS candidate, beside.model_version AS champion
     FROM model_versions AS linear
     JOIN model_versions AS beside
       ON beside.round = linear.round AND beside.role = linear.network
          AND split_part(beside.model_version, '-', 1) = split_part(linear.model_version, '-', 1)
     WHERE linear.role = 'linear' AND linear.round >= ${first}`;
}
