/** Of local-server.sql: by it the members of a group get from each other what they lack. */
export const GROUP_ACCOUNT = { user: 'user', password: 'password' };

export interface GroupPlace {
  /** Names the group: a UUID that all its members share. */
  group: string;
  /** Of all members, on 127.0.0.1. */
  ports: readonly number[];
  /** From 0. */
  index: number;
}

/** What makes a private MySQL a member of a group. docs/high-availability.md says what each option does, and its price. */
export function memberArgs({ group, ports, index }: GroupPlace): string[] {
  const hosts = ports.map((port) => `127.0.0.1:${port}`);
  return [
    `--server-id=${index + 1}`,
    '--gtid-mode=ON',
    '--enforce-gtid-consistency=ON',
    '--super-read-only=ON',
    '--plugin-load-add=group_replication.so',
    `--group-replication-group-name=${group}`,
    `--group-replication-group-seeds=${hosts.join()}`,
    `--group-replication-local-address=${hosts[index]}`,
    '--group-replication-communication-stack=MYSQL',
    '--group-replication-recovery-get-public-key=ON',
    '--group-replication-member-expel-timeout=0',
    '--group-replication-unreachable-majority-timeout=10',
    '--group-replication-message-cache-size=134217728',
    '--group-replication-start-on-boot=OFF',
    // Kept, so that a member that has nothing gets everything from another.
    '--binlog-expire-logs-seconds=0',
    '--report-host=127.0.0.1',
    // Three servers on a machine that has other things to do as well.
    '--innodb-buffer-pool-size=32M',
  ];
}
