/** Characters that steer a terminal or turn a text around, in texts of strangers. */

/** C0, DEL, C1, line separators, and marks that turn the direction. */
const STEERING = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const ALL_STEERING = new RegExp(STEERING, 'g');

/** The text with each of them as `replacement` has it. */
export function withoutSteering(text: string, replacement: (control: string) => string): string {
  return STEERING.test(text) ? text.replace(ALL_STEERING, replacement) : text;
}

/** JSON with those that JSON lets stand escaped; its own line ends stay. The value is the same. */
export function steeringEscaped(json: string): string {
  return withoutSteering(json, (control) =>
    control === '\n' ? control : `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
