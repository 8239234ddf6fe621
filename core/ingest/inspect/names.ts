import { NO_SENSORS, type SensorName, sensorNameSchema } from '../../contracts/task';

/**
 * What the names of fields say. Names only choose between fields whose values fit: a field called `t` with 21.5 in it is no time.
 */

/** Lower-case words of a name in snake_case, kebab-case or camelCase. */
function wordsOf(name: string): readonly string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
}

/** Names of a path's fields, the outermost first. */
export function namesOf(path: string): readonly string[] {
  return path
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
    .filter((name) => name !== '');
}

function lastWords(path: string): readonly string[] {
  return wordsOf(namesOf(path).at(-1) ?? '');
}

const ID_ENDS = new Set([
  'id',
  'ids',
  'uid',
  'uuid',
  'guid',
  'eui',
  'mac',
  'serial',
  'imei',
  'deveui',
  'deviceid',
]);
const THINGS = new Set(
  'device sensor asset machine meter node station equipment thing pump motor turbine probe logger instrument'.split(
    ' ',
  ),
);
/** An id of these is not one of a device. */
const OTHER_THINGS = new Set(
  'message msg event request correlation trace span packet transaction batch sequence session row record'.split(
    ' ',
  ),
);

/** Whether a field is named as the id of a device is. */
export function isIdName(path: string): boolean {
  const words = lastWords(path);
  const last = words.at(-1) ?? '';
  if (words.some((word) => OTHER_THINGS.has(word))) return false;
  if (ID_ENDS.has(last) || (words.length === 1 && THINGS.has(last))) return true;
  return last === 'number' && words.at(-2) === 'serial';
}

const TIMES = new Set(
  'timestamp timestamps ts time t at date datetime when epoch utc instant observed measured sampled occurred'.split(
    ' ',
  ),
);
/** Times of what happened to a message later, or to a device earlier. */
const OTHER_TIMES = new Set(
  (
    'received receive ingest ingested ingestion arrival arrived processed processing created updated modified server stored published ' +
    'enqueued kafka record recorded gateway sent uploaded boot booted start started expires expiry last next calibrated installed up uptime'
  ).split(' '),
);

export function isTimeName(path: string): boolean {
  const words = lastWords(path);
  const isTime = words.some((word) => TIMES.has(word) || /(time|timestamp|date|ts)$/.test(word));
  return isTime && !words.some((word) => OTHER_TIMES.has(word));
}

/** What devices say of themselves and of where they are: rarely what a fleet is there to forecast. */
const HOUSEKEEPING = new Set(
  (
    'battery batt bat vbat rssi snr lqi lsnr uptime seq sequence counter count cnt fcnt fcntup offset firmware fw version rev lat latitude lon lng long ' +
    'longitude alt altitude channel ch port frequency freq sf dr retries errors error code status state qos interval quality'
  ).split(' '),
);

export function isHousekeepingName(path: string): boolean {
  return lastWords(path).some((word) => HOUSEKEEPING.has(word));
}

/** Names that say nothing without the one before them. */
const BARE = new Set(
  'value val v reading data rms avg mean current last raw measurement number num x y z'.split(' '),
);
const NAME_LENGTH = 40;

/** Name of the sensor that stands at a path: that of its field, with the one before it where it says nothing by itself. */
export function sensorNameOf(path: string): SensorName {
  const names = namesOf(path).filter((name) => !/^\d+$/.test(name));
  const own = asName(names.at(-1) ?? '');
  const before = asName(names.at(-2) ?? '');
  const isPlain = own === 'value' || own === 'val' || own === 'v' || own === 'reading' || own === 'data';
  if (BARE.has(own) && before !== '' && !BARE.has(before))
    return sensorName(isPlain ? before : `${before}_${own}`);
  return sensorName(own);
}

/** Name of the sensor of a pattern such as `temperature_*`. */
export function sensorNameOfPattern(pattern: string): SensorName {
  return sensorName(asName(pattern.replace('*', '_')));
}

function asName(name: string): string {
  return wordsOf(name.normalize('NFKD').replace(/\p{M}/gu, ''))
    .join('_')
    .replace(/[^a-z0-9_]/g, '')
    .replace(/^[^a-z]+|_+$/g, '');
}

function sensorName(name: string): SensorName {
  const narrow = name.slice(0, NAME_LENGTH);
  return sensorNameSchema.parse(narrow === '' || NO_SENSORS.has(narrow) ? 'reading' : narrow);
}
