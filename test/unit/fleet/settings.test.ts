import { fleetSettingsFrom, fleetSettingsSchema } from '../../../fleet/settings';

describe('settings of a fleet', () => {
  it('have a default for everything', () => {
    expect(fleetSettingsFrom({})).toMatchObject({
      devices: 2_407,
      seed: 1,
      clock: 'independent',
      speed: 'max',
      pace: 'requests',
    });
  });

  it('travel as JSON in an environment variable and come back the same', () => {
    const settings = fleetSettingsSchema.parse({
      devices: 60,
      speed: 10,
      clock: 'shared',
      labelColumn: 'odd',
    });
    expect(fleetSettingsFrom({ FEDLOOP_SIMULATION: JSON.stringify(settings) })).toEqual(settings);
  });

  it.each([
    ['{"devices":', /not JSON/],
    ['{"devices":0}', /devices/],
    ['{"device":5}', /unknown field "device" \(did you mean "devices"\?\)/],
    ['{"scenario":"winter"}', /unknown scenario "winter"; there are everyday, /],
    ['{"speed":"fast"}', /speed: must be "max" or a number above 0/],
  ])('refuse %s', (text, message) => {
    expect(() => fleetSettingsFrom({ FEDLOOP_SIMULATION: text })).toThrow(message);
  });
});
