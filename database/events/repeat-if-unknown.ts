import { DatabaseError } from '../database-error.ts';

/**
 * After an unknown outcome the same may be asked again, where doing it twice comes to the same as once. If nobody answers
 * then either, the outcome is as unknown as before.
 */
export async function repeatIfUnknown<T>(statement: () => Promise<T>): Promise<T> {
  try {
    return await statement();
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.fault !== 'unknown') throw error;
    return statement().catch(() => {
      throw error;
    });
  }
}
