/** The core's questions, answered by Kong's PDK. */
import type { Facts, Question } from "../core/questions";
import { pathOf } from "../core/url";
import { digest, luaPlatform } from "./platform";

/** What is known of one request, and how to learn more. */
export interface AskedFacts extends Facts {
	/** By the questions' ids. */
	answers: Record<string, unknown>;
}

/** What Kong has no answer to: Lua keeps no `nil`. */
const NOTHING = {};

/** The facts of a request, of which nothing is known yet. */
export function noFacts(): AskedFacts {
	return { answers: {}, get, mark };
}

/** Asks what has not been asked yet. */
export function learn(facts: AskedFacts, questions: readonly Question[]): void {
	for (const question of questions) {
		if (facts.answers[question.id] === undefined)
			facts.answers[question.id] = answer(question) ?? NOTHING;
	}
}

function get<Answer>(
	this: AskedFacts,
	{ id }: Question<Answer>,
): Answer | undefined {
	const known = this.answers[id];
	if (known === undefined) throw `never asked for ${id}`;
	return known === NOTHING ? undefined : (known as Answer);
}

function mark(this: AskedFacts, { id }: Question): string | undefined {
	const value = this.answers[id];
	return value === undefined || value === NOTHING
		? undefined
		: luaPlatform.encodeJson(value);
}

function answer({ about, name = "", maxBytes = 0 }: Question): unknown {
	switch (about) {
		case "credential":
			return kong.client.get_credential();
		case "consumer":
			return kong.client.get_consumer();
		case "service":
			return kong.router.get_service();
		case "route":
			return kong.router.get_route();
		case "forwarded_ip":
			return kong.client.get_forwarded_ip();
		case "forwarded_scheme":
			return kong.request.get_forwarded_scheme();
		case "forwarded_host":
			return kong.request.get_forwarded_host();
		case "forwarded_port":
			return kong.request.get_forwarded_port();
		case "method":
			return kong.request.get_method();
		case "path":
			return pathOf(ngx.var.request_uri ?? "");
		case "certificate":
			return ngx.var.ssl_client_raw_cert;
		case "header":
			return kong.request.get_header(name);
		case "query":
			return kong.request.get_query_arg(name);
		case "variable":
			return ngx.var[name];
		case "ctx":
			return ngx.ctx[name];
		case "shared":
			return kong.ctx.shared[name];
		case "body_digest":
			return bodyDigest(maxBytes);
	}
}

function bodyDigest(maxBytes: number): unknown {
	const [body] = kong.request.get_raw_body(maxBytes);
	if (body === undefined) return undefined;
	return body.length > maxBytes
		? { tooLarge: true }
		: { sha256: ngx.encode_base64(digest(body)) };
}
