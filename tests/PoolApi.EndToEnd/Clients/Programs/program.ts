// Uses types that openapi-typescript has made, as a user does: for a thumbnail, a job, its result, a problem and a cancellation.
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const [address, file, later] = process.argv.slice(2);
const image = readFileSync(file);
const client = createClient<paths>({ baseUrl: address });

// The generated types declare the body as a string. It is bytes, which are sent unchanged.
const bytes = {
  body: image as unknown as string,
  bodySerializer: (body: unknown) => body as BodyInit,
  headers: { "Content-Type": "image/jpeg" },
  parseAs: "arrayBuffer",
} as const;

async function getJob(id: string, header: { Prefer?: string }): Promise<components["schemas"]["JobView"]> {
  const { data, error } = await client.GET("/v1/jobs/{id}", { params: { path: { id }, header } });
  if (error) throw new Error(error.detail ?? "");
  return data;
}

const thumbnail = await client.POST("/v1/thumbnails", { ...bytes, params: { query: { width: 320, fit: "inside" } } });

const { data, response } = await client.POST("/v1/thumbnails", {
  params: { query: { width: 320, tag: ["holiday"] }, header: { Prefer: "respond-async" } },
  body: image as unknown as string,
  bodySerializer: (body: unknown) => body as BodyInit,
  headers: { "Content-Type": "image/jpeg" },
  parseAs: "arrayBuffer",
});
if (response.status !== 202) throw new Error(`expected 202, got ${response.status}`);
const job: components["schemas"]["JobView"] = JSON.parse(new TextDecoder().decode(data));
const ended = await getJob(job.id, { Prefer: "wait=60" });
const result = await client.GET("/v1/jobs/{id}/result", { params: { path: { id: job.id } }, parseAs: "arrayBuffer" });

const { error: problem } = await client.POST("/v1/thumbnails", { ...bytes, params: { query: { width: 0 } } });

const accepted = await client.POST("/v1/thumbnails", { ...bytes, params: { query: { width: 320, runAt: later }, header: { Prefer: "respond-async" } } });
const cancelled: components["schemas"]["JobView"] = JSON.parse(new TextDecoder().decode(accepted.data));
const cancellation = await client.DELETE("/v1/jobs/{id}", { params: { path: { id: cancelled.id } } });
if (cancellation.error) throw new Error(cancellation.error.detail ?? "");

console.log(JSON.stringify({
  thumbnail: Buffer.from(thumbnail.data!).toString("base64"),
  createdAt: new Date(job.createdAt).toISOString(),
  endedState: ended.state,
  tags: ended.tags,
  progress: ended.progress,
  result: Buffer.from(result.data!).toString("base64"),
  problemStatus: problem?.status,
  problemType: problem?.type,
  problemDetail: problem?.detail,
  problemField: problem?.errors?.["width"]?.[0],
  cancelledRunAt: new Date(cancelled.runAt).toISOString(),
  cancelledState: (await getJob(cancelled.id, {})).state,
}));
