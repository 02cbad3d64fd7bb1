import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

interface Package {
  version: string;
  resolved?: string;
  optionalDependencies?: Record<string, string>;
}

describe.each(['./', 'bench/peers/'])('in %s', (folder) => {
  const { packages } = JSON.parse(readFileSync(`${folder}package-lock.json`, 'utf8')) as {
    packages: Record<string, Package>;
  };

  test('the lock file has the packages of every platform, or npm ci would refuse it', () => {
    // npm leaves out those that it could not reach when it wrote the file.
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !packages[`${path}/node_modules/${name}`] && !packages[`node_modules/${name}`],
      ),
    );
    expect(missing).toEqual([]);
  });

  test('the lock file names no place to download from, so that any registry serves', () => {
    expect(Object.values(packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
  });

  test('every direct dependency is pinned to one version', () => {
    const {
      dependencies,
      devDependencies = {},
      optionalDependencies = {},
    } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8')) as {
      dependencies: Record<string, string>;
      devDependencies?: Record<string, string>;
      optionalDependencies?: Record<string, string>;
    };
    const versions = Object.values({ ...dependencies, ...devDependencies, ...optionalDependencies });
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });
});
