export interface Listening {
  port: number;
  /** The variable of the port. */
  portVariable: string;
  host: string;
  /** The variable of the address, where it has one. */
  hostVariable?: string;
}

/** Why a server cannot listen, as a sentence that names the setting to change. */
export function whyNotListening({ code, message }: NodeJS.ErrnoException, listening: Listening): string {
  const { port, portVariable, host, hostVariable } = listening;
  switch (String(code)) {
    case 'EADDRINUSE':
      return `port ${port} is in use; choose another with ${portVariable}`;
    case 'EACCES':
      return `this user may not listen on port ${port} (EACCES); choose one from 1024 on with ${portVariable}`;
    case 'EADDRNOTAVAIL':
      return `${host} is no address of this machine${hostVariable ? `; choose another with ${hostVariable}` : ''}`;
    default:
      return message;
  }
}
