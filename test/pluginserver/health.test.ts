/** `--health`, which readiness probes and health checks run. */

import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { dedicatedServer } from "../../local/gateway/plugin-server";
import { runServer, startServer, temporaryFolder } from "../support/server";

const servers: Server[] = [];

afterAll(() => {
	for (const server of servers) server.close();
});

/** How a health check of a folder's socket ended. */
async function check(folder: string, ...url: string[]) {
	const health = runServer(dedicatedServer(), ["--health", ...url], folder);
	const { code } = await health.exited;
	return { code, output: health.output };
}

/** The URL of a server that answers everything with one status, or not at all. */
async function answering(status?: number): Promise<string> {
	const server = createHttpServer((_, response) => {
		if (status) response.writeHead(status).end();
	});
	servers.push(server);
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return `http://127.0.0.1:${(server.address() as AddressInfo).port}/status/ready`;
}

test("a server that answers is healthy, without a word", async () => {
	const folder = temporaryFolder();
	await startServer(dedicatedServer(), [], folder);
	expect(await check(folder)).toEqual({ code: 0, output: "" });
	expect(await check(folder, await answering(200))).toEqual({
		code: 0,
		output: "",
	});
});

test("without a server, or with what a killed one left, it is not", async () => {
	const folder = temporaryFolder();
	expect(await check(folder)).toMatchObject({
		code: 1,
		output: expect.stringContaining("s.sock: connect ENOENT"),
	});
	const server = await startServer(dedicatedServer(), [], folder);
	await server.kill();
	expect(await check(folder)).toMatchObject({
		code: 1,
		output: expect.stringContaining("s.sock: connect ECONNREFUSED"),
	});
});

test("a server that hangs is not, and the check says so by itself", async () => {
	const folder = temporaryFolder();
	const server = await startServer(dedicatedServer(), [], folder);
	server.signal("SIGSTOP");
	expect(await check(folder)).toMatchObject({
		code: 1,
		output: expect.stringContaining("s.sock: no answer in time"),
	});
});

test.each([
	{ what: "closes the connection", answer: Buffer.alloc(0) },
	{ what: "says something else", answer: Buffer.from("HTTP/1.1 400\r\n\r\n") },
	{ what: "answers a call", answer: Buffer.from([2, 0, 0, 0, 8, 1]) },
])("a server of something else, which $what, is not", async ({ answer }) => {
	const folder = temporaryFolder();
	const server = createServer((socket) => {
		socket.on("error", () => {});
		socket.end(answer);
	});
	servers.push(server);
	await new Promise<void>((resolve) =>
		server.listen(join(folder, "s.sock"), resolve),
	);
	expect(await check(folder)).toMatchObject({
		code: 1,
		output: expect.stringMatching(/s\.sock: /),
	});
});

test("while Kong is not ready, it is not either", async () => {
	const folder = temporaryFolder();
	await startServer(dedicatedServer(), [], folder);
	const url = await answering(503);
	expect(await check(folder, url)).toMatchObject({
		code: 1,
		output: expect.stringContaining(`${url}: status 503`),
	});
	const silent = await answering();
	expect(await check(folder, silent)).toMatchObject({
		code: 1,
		output: expect.stringContaining(`${silent}: no answer in time`),
	});
});
