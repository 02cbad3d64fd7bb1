import { cutReason } from './reason-of.ts';
import type { SchemaIssue, StandardSchema } from './standard-schema.ts';

/** What the schema makes of a payload. One that does not fit is dead, since it would not fit the next time either. */
export async function checkPayload(
  schema: StandardSchema,
  payload: unknown,
): Promise<{ payload: unknown } | { dead: string }> {
  const result = await schema['~standard'].validate(payload);
  if (!result.issues) return { payload: result.value };
  return { dead: cutReason(`the payload does not fit: ${result.issues.map(describeIssue).join('; ')}`) };
}

function describeIssue({ message, path = [] }: SchemaIssue): string {
  const names = path.map((segment) => String(typeof segment === 'object' ? segment.key : segment));
  return names.length === 0 ? message : `${names.join('.')}: ${message}`;
}

export function isSchema(value: unknown): value is StandardSchema {
  // Some libraries make their schemas functions.
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isObject && typeof (value as Partial<StandardSchema>)['~standard']?.validate === 'function';
}
