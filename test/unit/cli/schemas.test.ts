import { readdirSync, readFileSync } from 'node:fs';
import Ajv2020 from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { packageFile } from '../../../cli/shared/package-root';
import { renderSchemas } from '../../../cli/reference/schemas';

describe('docs/schemas', () => {
  const schemas = renderSchemas();
  const ajv = (): Ajv2020 => {
    const validator = new Ajv2020({ strict: false });
    addFormats(validator);
    return validator;
  };

  it('holds what the contracts say (else: npm run build && npm run docs:schemas)', () => {
    const files = readdirSync(packageFile('docs', 'schemas')).sort();
    expect(files).toEqual([...schemas.keys()].sort());
    for (const file of files)
      expect({ file, text: readFileSync(packageFile('docs', 'schemas', file), 'utf8') }).toEqual({
        file,
        text: schemas.get(file),
      });
  });

  it('is JSON Schema that others can use', () => {
    for (const text of schemas.values())
      expect(() => ajv().compile(JSON.parse(text) as object)).not.toThrow();
  });

  it('tells an event from what is none', () => {
    const isEvent = ajv().compile(JSON.parse(schemas.get('event.schema.json') ?? '') as object);
    expect(isEvent({ device_id: 'a', timestamp: 0, temperature: 20, humidity: null })).toBe(true);
    expect(isEvent({ device_id: 'a', timestamp: 0, data: 20 })).toBe(true);
    expect(isEvent({ device_id: 'a', timestamp: 0 })).toBe(false);
    expect(isEvent({ device_id: 'a', timestamp: 0, temperature: 'warm' })).toBe(false);
  });
});
