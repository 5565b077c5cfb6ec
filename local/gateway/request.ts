import type { IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import { TLSSocket } from "node:tls";
import type { Consumer, Credential, ServedRoute } from "./entities";

/** A response that a plugin gives instead of the backend. */
export interface Exit {
	status: number;
	/** An object becomes JSON, as with `kong.response.exit`. */
	body?: object | string;
	headers?: Record<string, string>;
}

/** Header values by lower-case name; each character is one byte, as node:http has them. */
export type Headers = Map<string, string[]>;

/** One request on its way through the gateway: what plugins read and change. */
export class GatewayRequest {
	readonly url: URL;
	/** What goes to the backend, changed by plugins. */
	readonly headers: Headers;
	/** What plugins add to the response, whoever gives it. */
	readonly responseHeaders: Record<string, string> = {};
	/** What plugins set in the entry of log plugins, by name. */
	readonly logValues = new Map<string, unknown>();
	readonly client: ClientCertificate | undefined;
	credential: Credential | { id: string } | undefined;
	consumer: Consumer | undefined;
	/** When a plugin has read it. */
	body: Buffer | undefined;
	/** `kong.ctx.shared`. */
	readonly shared: Record<string, unknown> = {};
	/** `ngx.ctx`, as far as plugins may read it. */
	readonly ngxCtx: Record<string, unknown> = {};

	/** @param id Kong's request id */
	constructor(
		readonly id: string,
		readonly incoming: IncomingMessage,
		readonly route: ServedRoute,
	) {
		this.url = requestUrl(incoming);
		this.headers = readHeaders(incoming.rawHeaders);
		this.client = clientCertificate(incoming);
	}

	get method(): string {
		return this.incoming.method ?? "GET";
	}

	/** The body, for a plugin that wants all of it; what is read here is what the backend gets. */
	async readBody(): Promise<void> {
		this.body ??= await buffer(this.incoming);
	}

	/** First value of a header, as text. */
	header(name: string): string | undefined {
		const value = this.headers.get(name.toLowerCase())?.[0];
		return value === undefined ? undefined : fromBytes(value);
	}

	/** The same among the headers that `ngx.req.get_headers()` lists, which are the first hundred. */
	listedHeader(name: string): string | undefined {
		const lines = [...this.headers].flatMap(([header, values]) =>
			values.map(() => header),
		);
		const isListed = lines.slice(0, 100).includes(name.toLowerCase());
		return isListed ? this.header(name) : undefined;
	}

	/** Replaces a header of the request to the backend; `undefined` removes it. */
	setHeader(name: string, value: string | undefined): void {
		if (value === undefined) this.headers.delete(name.toLowerCase());
		else this.headers.set(name.toLowerCase(), [toBytes(value)]);
	}

	/** What every security plugin of Kong does when it has authenticated the client. */
	authenticate(
		consumer: Consumer | undefined,
		credential: Credential | { id: string },
		identifier: string,
	): void {
		this.#setConsumer(consumer, credential);
		this.setHeader("x-credential-identifier", identifier);
		this.setHeader("x-anonymous-consumer", undefined);
	}

	/** What they do when they have not, and an anonymous consumer is configured. */
	goOnAs(anonymous: Consumer): void {
		this.#setConsumer(anonymous, undefined);
		this.setHeader("x-credential-identifier", undefined);
		this.setHeader("x-anonymous-consumer", "true");
	}

	#setConsumer(
		consumer: Consumer | undefined,
		credential: Credential | { id: string } | undefined,
	): void {
		this.consumer = consumer;
		this.credential = credential;
		this.ngxCtx.authenticated_consumer = consumer;
		this.ngxCtx.authenticated_credential = credential;
		this.setHeader("x-consumer-id", consumer?.id);
		this.setHeader("x-consumer-custom-id", consumer?.custom_id);
		this.setHeader("x-consumer-username", consumer?.username);
	}

	/** Kong's `kong.response.error` for this request. */
	error(
		status: number,
		message: string,
		headers?: Record<string, string>,
	): Exit {
		return errorExit(this.id, status, message, headers);
	}
}

/** The response of Kong's `kong.response.error`. */
export function errorExit(
	requestId: string,
	status: number,
	message: string,
	headers: Record<string, string> = {},
): Exit {
	return {
		status,
		body: `{\n  "message":"${message}",\n  "request_id":"${requestId}"\n}`,
		headers: { "content-type": "application/json; charset=utf-8", ...headers },
	};
}

/** What nginx knows of the client's certificate on a TLS connection. */
export interface ClientCertificate {
	/** Server name the client asked for (SNI). */
	serverName: string | undefined;
	/** `SUCCESS`, `NONE` or `FAILED:` with the reason. */
	verify: string;
	/** PEM. */
	chain: string | undefined;
	/** Reversed RFC 2253, as nginx has it. */
	subject: string | undefined;
}

function clientCertificate({
	socket,
}: IncomingMessage): ClientCertificate | undefined {
	if (!(socket instanceof TLSSocket)) return undefined;
	const serverName = socket.servername || undefined;
	const certificate = socket.getPeerX509Certificate();
	if (!certificate)
		return { serverName, verify: "NONE", chain: undefined, subject: undefined };
	return {
		serverName,
		verify: socket.authorized
			? "SUCCESS"
			: `FAILED:${verifyError(String(socket.authorizationError))}`,
		chain: certificate.toString(),
		subject: certificate.subject.split("\n").reverse().join(","),
	};
}

/** OpenSSL's texts where Node.js's code for the error does not spell them. */
const VERIFY_ERRORS: Record<string, string> = {
	CERT_HAS_EXPIRED: "certificate has expired",
	CERT_NOT_YET_VALID: "certificate is not yet valid",
	DEPTH_ZERO_SELF_SIGNED_CERT: "self-signed certificate",
	SELF_SIGNED_CERT_IN_CHAIN: "self-signed certificate in certificate chain",
	UNABLE_TO_GET_ISSUER_CERT: "unable to get issuer certificate",
	UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "unable to get local issuer certificate",
	UNABLE_TO_VERIFY_LEAF_SIGNATURE: "unable to verify the first certificate",
};

function verifyError(code: string): string {
	return VERIFY_ERRORS[code] ?? code.replaceAll("_", " ").toLowerCase();
}

/** The URL of a request line; dot segments are resolved, as Kong normalises paths. */
export function requestUrl({ url = "/" }: IncomingMessage): URL {
	return new URL(`http://gateway${url.startsWith("/") ? url : "/"}`);
}

function readHeaders(raw: string[]): Headers {
	const headers: Headers = new Map();
	for (let i = 0; i + 1 < raw.length; i += 2) {
		const name = (raw[i] ?? "").toLowerCase();
		headers.set(name, [...(headers.get(name) ?? []), raw[i + 1] ?? ""]);
	}
	return headers;
}

/** Text of header bytes; bytes that are not UTF-8 are mangled, as on Kong's wire (Kong fact). */
export function fromBytes(bytes: string): string {
	return Buffer.from(bytes, "latin1").toString("utf8");
}

function toBytes(text: string): string {
	return Buffer.from(text, "utf8").toString("latin1");
}
