import { hash } from "node:crypto";
import type { Decision } from "../../core/decisions";
import type { BodyDigest, Question } from "../../core/questions";
import { pathOf } from "../../core/url";
import type { Ask } from "./facts";
import { logLine } from "./log-line";
import type { Kong } from "./pdk";

/**
 * Asks through Kong's PDK, one call after another: the stock plugin server takes the answers of calls
 * made at once for each other's (Kong fact).
 */
export function askStock(kong: Kong): Ask {
	return async (questions) => {
		const answers: unknown[] = [];
		for (const question of questions) answers.push(await call(kong, question));
		return answers;
	};
}

/** Carries a decision out through Kong's PDK, one call after another. */
export async function carryOut(
	kong: Kong,
	{
		log,
		logValues,
		exit,
		clearedHeaders,
		upstreamHeaders,
		downstreamHeaders,
	}: Decision,
): Promise<void> {
	// The request must end whether or not it can be logged.
	for (const { level, message } of log)
		await kong.log[level](logLine(message)).catch(() => {});
	for (const [name, value] of logValues)
		await kong.log.setSerializeValue(name, value);
	if (exit) {
		const { status, body, headers } = exit;
		await (headers
			? kong.response.exit(status, body, headers)
			: kong.response.exit(status, body));
		return;
	}
	for (const name of clearedHeaders)
		await kong.service.request.clearHeader(name);
	for (const [name, value] of upstreamHeaders)
		await kong.service.request.setHeader(name, value);
	for (const [name, value] of downstreamHeaders)
		await kong.response.setHeader(name, value);
}

async function call(
	kong: Kong,
	{ about, name = "", maxBytes = 0 }: Question,
): Promise<unknown> {
	switch (about) {
		case "credential":
			return kong.client.getCredential();
		case "consumer":
			return kong.client.getConsumer();
		case "service":
			return kong.router.getService();
		case "route":
			return kong.router.getRoute();
		case "forwarded_ip":
			return kong.client.getForwardedIp();
		case "forwarded_scheme":
			return kong.request.getForwardedScheme();
		case "forwarded_host":
			return kong.request.getForwardedHost();
		case "forwarded_port":
			return kong.request.getForwardedPort();
		case "method":
			return kong.request.getMethod();
		case "path":
			return pathOf(await kong.request.getRawPath());
		case "certificate":
			return kong.client.tls.getFullClientCertificateChain();
		case "header":
			return kong.request.getHeader(name);
		case "query":
			return kong.request.getQueryArg(name);
		case "variable":
			return kong.nginx.getVar(name);
		case "ctx":
			return kong.nginx.getCtx(name);
		case "shared":
			return kong.ctx.shared.get(name);
		case "body_digest":
			return bodyDigest(kong, maxBytes);
	}
}

async function bodyDigest(
	{ request }: Kong,
	maxBytes: number,
): Promise<BodyDigest | undefined> {
	const body = await request.getRawBody(maxBytes);
	if (!body) return undefined;
	if (body.length > maxBytes) return { tooLarge: true };
	return { sha256: hash("sha256", body, "base64") };
}
