import type { RouteFile } from './app.ts';
import { addDashboardRoutes } from './routes/dashboard.ts';
import { addDeviceReadingsRoutes } from './routes/device-readings.ts';
import { addDeviceRoutes } from './routes/devices.ts';
import { addEventsRoutes } from './routes/events.ts';
import { addExportRoutes } from './routes/export.ts';
import { addGapsRoutes } from './routes/gaps.ts';
import { addHealthRoutes } from './routes/health.ts';
import { addMetricsRoutes } from './routes/metrics.ts';
import { addQuarantineRoutes } from './routes/quarantine.ts';
import { addReadingsRoutes } from './routes/readings.ts';
import { addRejectedRoutes } from './routes/rejected.ts';
import { addRoomRoutes } from './routes/rooms.ts';
import { addSeriesRoutes } from './routes/series.ts';
import { addServerRoutes } from './routes/server.ts';
import { addStatisticsRoutes } from './routes/statistics.ts';
import { addVerdictRoutes } from './routes/verdict.ts';

/** What the API is made of; the paths are relative to `/api/v1`. */
export const API_ROUTES: readonly RouteFile[] = [
  addServerRoutes,
  addDeviceRoutes,
  addRoomRoutes,
  addReadingsRoutes,
  addDeviceReadingsRoutes,
  addSeriesRoutes,
  addStatisticsRoutes,
  addGapsRoutes,
  addRejectedRoutes,
  addQuarantineRoutes,
  addVerdictRoutes,
  addExportRoutes,
  addEventsRoutes,
];

/** Beside the API: their paths begin at the server's root. */
export const ROOT_ROUTES: readonly RouteFile[] = [addHealthRoutes, addMetricsRoutes, addDashboardRoutes];
