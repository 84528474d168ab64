import type { Format } from '../text/format.ts';
import type { TextKey } from '../text/texts.ts';
import type { Quantity } from './address.ts';

export const QUANTITY_WORDS = {
  temperature: 'temperature',
  humidity: 'humidity',
  'dew-point': 'dewPoint',
  'absolute-humidity': 'absoluteHumidity',
} as const satisfies Record<Quantity, TextKey>;

export const UNITS: Readonly<Record<Quantity, string>> = {
  temperature: '°C',
  humidity: '%',
  'dew-point': '°C',
  'absolute-humidity': 'g/m³',
};

/** Humidity with a decimal too: in a chart its small moves count. */
export function formatQuantity(format: Format, quantity: Quantity, value: number | null | undefined): string {
  return typeof value === 'number' ? `${format.number(value)}\u00a0${UNITS[quantity]}` : '–';
}

/** The least that the axis spans: a calm room looks calm. */
export const LEAST_SPAN: Readonly<Record<Quantity, number>> = {
  temperature: 2,
  humidity: 6,
  'dew-point': 2,
  'absolute-humidity': 2,
};

/** Whether it is computed from the means of both measured values, and so has no least and most of its own. */
export function isDerived(quantity: Quantity): boolean {
  return quantity === 'dew-point' || quantity === 'absolute-humidity';
}
