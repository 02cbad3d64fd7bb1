// Loaded before our TypeScript, by any Node: an old one would only say ERR_UNKNOWN_FILE_EXTENSION.
const NEEDED = 24;

if (Number.parseInt(process.versions.node, 10) < NEEDED) {
  console.error(
    `This is Node ${process.version}, but at least Node ${NEEDED} is needed. ` +
      'npm ci installs one for this folder, unless run with --ignore-scripts or --omit=optional.',
  );
  process.exit(1);
}
