import { FedloopError } from '../../contracts/errors';
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
 * versions differ in it).
 * @param modelOf the model of a version; a forecast of a version without one fails.
 */
export function modelForecaster(modelOf: (version: VersionId) => GlobalModel | undefined): ModelForecaster {
  const predictors = new Map<string, Promise<VersionPredictor>>();
  return {
    async forecast({ versions, features, rows }) {
      const models = versions.map((version) => {
        const model = modelOf(version);
        if (model === undefined)
          throw new FedloopError(
            'InvalidModel',
            `${version} is in force, but model-deployments has no model of it`,
          );
        return model;
      });
      const changes = new Float32Array(versions.length * rows);
      const names = models.map(nameOf);
      for (const name of new Set(names)) {
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
