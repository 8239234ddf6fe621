import { type VersionId } from '../../contracts/ids';
import { VersionPredictor } from '../../model/batch-predictor';
import { type GlobalModel } from '../../model/types';
import { type Forecaster } from './forecaster';

export interface ModelForecaster {
  readonly forecast: Forecaster;
  release(): Promise<void>;
}

/**
 * Forecasts by the models: one ONNX run scores all rows of a request for all its versions (one run a network shape, where
 * versions differ in it). A version without a model that fits the features forecasts nothing (NaN), and has no rows: whatever a log says of
 * it, the other versions are forecast.
 * @param modelOf the model of a version.
 * @param onMissing told once of a version that has none that fits.
 */
export function modelForecaster(
  modelOf: (version: VersionId) => GlobalModel | undefined,
  onMissing: (version: VersionId) => void = () => undefined,
): ModelForecaster {
  const predictors = new Map<string, Promise<VersionPredictor>>();
  const missing = new Set<VersionId>();
  const usableModel = (version: VersionId, inputs: number): GlobalModel | undefined => {
    const model = modelOf(version);
    if (model?.metadata.shape.inputs === inputs) return model;
    if (!missing.has(version)) onMissing(version);
    missing.add(version);
    return undefined;
  };
  return {
    async forecast({ versions, features, rows }) {
      const changes = new Float32Array(versions.length * rows).fill(NaN);
      if (rows === 0) return changes;
      const models = versions.map((version) => usableModel(version, features.length / rows));
      const names = models.map((model) => model && nameOf(model));
      for (const name of new Set(names)) {
        if (name === undefined) continue;
        const places = [...names.keys()].filter((i) => names[i] === name);
        const group = places.flatMap((i) => models[i] ?? []);
        const [first] = group;
        if (first === undefined) continue;
        const { shape } = first.metadata;
        const predictor =
          predictors.get(name) ?? VersionPredictor.create({ shape, threads: PREDICT_THREADS });
        predictors.set(name, predictor);
        const predicted = await (await predictor).predict(group, features);
        places.forEach((place, i) => {
          changes.set(predicted.subarray(i * rows, (i + 1) * rows), place * rows);
        });
      }
      return changes;
    },
    async release() {
      for (const predictor of predictors.values()) await (await predictor).release();
      predictors.clear();
    },
  };
}

/** A window's run takes a few milliseconds; more threads would spin between runs and cost more than they save. */
const PREDICT_THREADS = 1;

/** Name of a model's network shape. */
function nameOf({ metadata: { shape } }: GlobalModel): string {
  return `${shape.inputs}-${shape.hidden}`;
}
