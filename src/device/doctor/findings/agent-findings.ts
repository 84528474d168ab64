/** Other programs that want the same sensor. */
export const AGENT_FINDINGS = {
  'unit.older-agent': {
    verdict: 'fail',
    found: '{unit} starts the older agent, written in C: {command}',
    cause: 'the unit of the older installation is still in place and hides or replaces ours',
    remedy: ['$ sudo systemctl disable --now {unit}', '$ sudo rm {path}', '$ sudo ./bootstrap-pi.sh'],
  },
  'older-agent.running': {
    verdict: 'fail',
    found: 'the older agent, written in C, is running (process {pid}, {executable})',
    cause:
      "it was started by an older unit or by hand; it takes the sensor's answers away from ours and publishes without numbers",
    remedy: ['$ systemctl status {pid}', '$ sudo systemctl disable --now <the unit named there>', '$ sudo kill {pid}'],
  },
  'older-agent.none': { verdict: 'ok', found: 'no older agent is running' },
} as const;
