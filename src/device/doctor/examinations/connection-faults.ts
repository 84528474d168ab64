import { closedFinding, tlsFinding } from '../../../common/doctor/connection-faults.ts';
import type { Finding } from '../../../common/doctor/finding.ts';
import type { LinkError } from '../../mqtt/link-session.ts';
import { report } from '../finding.ts';
import { type BrokerParts, userOf } from './broker-parts.ts';

/** Reason codes for a client id that the broker does not take: MQTT 3.1.1 (3.2.2.3) and MQTT 5 (3.2.2.2). */
const BAD_CLIENT_ID: readonly (number | undefined)[] = [0x02, 0x85];

/** What the failure of an attempt to connect means. Asks the port again only where the error leaves several causes open. */
export async function connectionFinding(
  error: LinkError,
  parts: BrokerParts,
  clientId: string,
  signal: AbortSignal,
): Promise<Finding> {
  const { mqtt, deviceUid, configFile: file } = parts;
  const { brokerHost: host, brokerPort: port, tls, tlsServerName } = mqtt;
  const attempt = { host, port, tls, tlsServerName, problem: error.message, configFile: file, clock: parts.clock };
  const place = { host, port, problem: error.message, file };
  const login = { user: userOf(parts), problem: error.message, deviceUid, file };
  switch (error.code) {
    case 'LINK_DNS':
      return report('connection.dns', place);
    case 'LINK_CONNECTION_REFUSED':
      return report('connection.refused', place);
    case 'LINK_OFFLINE':
      return report('connection.unreachable', place);
    case 'LINK_TIMEOUT':
      return report('connection.time-out', place);
    case 'LINK_TLS':
      return await tlsFinding(causeCode(error), attempt, signal);
    case 'LINK_CLOSED_EARLY':
      return await closedFinding(attempt, signal);
    case 'LINK_CREDENTIALS':
      return report('broker.credentials', login);
    case 'LINK_NOT_AUTHORIZED':
      return report('broker.not-authorized', login);
    case 'LINK_PROTOCOL_VERSION':
      return report('broker.protocol', { version: mqtt.protocol === '3.1.1' ? '3.1.1' : '5', file });
    case 'LINK_FILE':
      return report('connection.file', { problem: error.message });
    case 'LINK_REFUSED':
      return BAD_CLIENT_ID.includes(error.reasonCode)
        ? report('broker.client-id', { clientId, problem: error.message, file })
        : report('broker.refused', { problem: error.message });
    case 'LINK_TOO_LARGE':
    case 'LINK_PUBLISH_REFUSED':
    case 'LINK_SUBSCRIBE_REFUSED':
      return report('broker.refused', { problem: error.message });
  }
}

function causeCode({ cause }: LinkError): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
}
