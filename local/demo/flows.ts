import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { ConnectionOptions } from "node:tls";
import { type JWTPayload, SignJWT } from "jose";
import { decodeToken, withClaims } from "../../jwk/token";
import { packageRoot } from "../../schema/package-root";
import { IDP_ISSUER } from "../backend/backend";
import { type Reply, send } from "../http";
import { incomingToken } from "../inspector/inspector";

const KEYS = join(packageRoot(), "test-keys");

/** What the partner of kong.yml signs its tokens with. */
const PARTNER_SECRET =
	"TEST SECRET, known to everybody: never use it in production";

/** Where a gateway is. */
export interface Reach {
	/** Base URLs, without a slash at the end. */
	httpUrl: string;
	httpsUrl: string;
	/** Certificate of the authority that vouches for `httpsUrl`, PEM; without one any certificate will do. */
	certificate?: string;
}

/** One way for a client to come to the gateway, and what it should get. */
export interface Flow {
	name: string;
	/** Path of the route that it goes through. */
	route: string;
	/** Status of the response. */
	status: number;
	/** The claim `client_id` that the backend must have verified; none when it is not reached. */
	clientId?: string;
	/** Whether the token may be of any client. */
	anyClient?: boolean;
	/** Whether the gateway may also refuse it, as with the guard. */
	mayBeRefused?: boolean;
	/** Whether it goes to `httpsUrl`. */
	isTls?: boolean;
	/** The token that the client sends; none when it shows who it is in another way. */
	incoming?: string;
	/** The same request as a command to paste. */
	curl: string;
	send(): Promise<Reply>;
}

/** Reads a file of test-keys. */
export function testKey(name: string): string {
	return readFileSync(join(KEYS, name), "utf8");
}

/** The path of a file of test-keys, from the working directory. */
export function testKeyPath(name: string): string {
	return relative(".", join(KEYS, name));
}

/**
 * Signs a token with one of the test keys.
 *
 * @param keyFile private JWK in test-keys
 * @param claims claims; the token lasts an hour unless they have an `exp`
 */
export async function signToken(
	keyFile: string,
	claims: JWTPayload,
): Promise<string> {
	const { kid, alg, ...jwk } = JSON.parse(testKey(keyFile));
	const key = createPrivateKey({ key: jwk, format: "jwk" });
	const exp = Math.floor(Date.now() / 1000) + 3600;
	return new SignJWT({ exp, ...claims })
		.setProtectedHeader({ typ: "JWT", alg, kid })
		.sign(key);
}

/** All flows of kong.yml and kong-enterprise.yml, with tokens signed now. */
export async function makeFlows(gateway: Reach): Promise<Flow[]> {
	const clientToken = await signToken("idp-jwk-private.json", {
		iss: IDP_ISSUER,
		sub: "alice",
		clientId: "web-shop",
		scope: "orders:read",
	});
	const basic = `Basic ${btoa("my-user:My p@ssword!")}`;
	// As the gateway signs them: making the flows sends nothing.
	const ourToken = await signToken("RS256-jwk-private.json", {
		client_id: "my-user",
	});
	const expired = await signToken("RS256-jwk-private.json", {
		client_id: "my-user",
		exp: 1,
	});
	const unknown = await signToken("RS256-jwk-private.json", {
		client_id: "nobody",
	});
	const inAnHour = Math.floor(Date.now() / 1000) + 3600;
	const ofPartner = await new SignJWT({
		client_id: "partner-hs",
		sub: "ceo",
		roles: ["admin"],
		exp: inAnHour,
	})
		.setProtectedHeader({ alg: "HS256" })
		.sign(Buffer.from(PARTNER_SECRET));
	const ofIdp = await signToken("idp-jwk-private.json", {
		client_id: IDP_ISSUER,
		sub: "ceo",
		exp: inAnHour,
	});
	const certificate = {
		cert: testKey("client-cert.pem"),
		key: testKey("client-key.pem"),
	};
	const subject =
		"C=US, ST=California, O=Kong Inc., OU=Konnect, CN=kong, emailAddress=contact@konghq.com";
	const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
	const tampered = withClaims(ourToken, {
		client_id: "my-user",
		roles: ["admin"],
	});
	const tamperedClientToken = withClaims(clientToken, {
		...decodeToken(clientToken).claims,
		clientId: "admin",
	});

	const http = (
		name: string,
		path: string,
		headers: Record<string, string>,
		expected: { status: number; clientId?: string },
	): Flow => ({
		name,
		route: path.replace(/\?.*/, ""),
		...expected,
		incoming: incomingToken(headers, path),
		curl: curl(gateway.httpUrl + path, headers),
		send: () => send(gateway.httpUrl + path, { headers }),
	});
	const https = (
		name: string,
		path: string,
		client: object,
		expected: { status: number; clientId?: string },
	): Flow => ({
		name,
		route: path,
		isTls: true,
		...expected,
		curl: curl(gateway.httpsUrl + path, {}, "cert" in client),
		send: () => send(gateway.httpsUrl + path, { ...trust(gateway), ...client }),
	});
	const ok = (clientId: string) => ({ status: 200, clientId });
	const apikey = { apikey: "012345AZERTY!" };

	return [
		http("Basic", "/basicAuth", { authorization: basic }, ok("my-user")),
		http("API key", "/apiKey", apikey, ok("012345AZERTY!")),
		http("JWT", "/jwt", bearer(clientToken), ok("web-shop")),
		http("JWT in the query", `/jwt?jwt=${clientToken}`, {}, ok("web-shop")),
		http("JWT, tampered", "/jwt", bearer(tamperedClientToken), { status: 401 }),
		https("Client certificate", "/mtlsAuth", certificate, ok(subject)),
		http("OIDC (stand-in)", "/oidc", bearer(clientToken), ok("web-shop")),
		https(
			"mtls-auth (stand-in)",
			"/mtlsAuthConsumer",
			certificate,
			ok(subject),
		),
		http("Introspection", "/introspect", bearer(ourToken), { status: 200 }),
		http("Introspection, tampered", "/introspect", bearer(tampered), {
			status: 401,
		}),
		http("Introspection, expired", "/introspect", bearer(expired), {
			status: 401,
		}),
		http("Introspection, unknown client", "/introspect", bearer(unknown), {
			status: 401,
		}),
		http("Introspection, a partner's token", "/introspect", bearer(ofPartner), {
			status: 403,
		}),
		http("Introspection, the IdP's token", "/introspect", bearer(ofIdp), {
			status: 403,
		}),
		http(
			"API key and a forged Bearer token",
			"/apiKey",
			{
				...apikey,
				...bearer("eyJhbGciOiJub25lIn0.eyJjbGllbnRJZCI6ImFkbWluIn0."),
			},
			ok("012345AZERTY!"),
		),
		http("Wrong API key", "/apiKey", { apikey: "guess" }, { status: 401 }),
		https("No client certificate", "/mtlsAuth", {}, { status: 401 }),
	];
}

/** TLS options for requests to a gateway. */
export function trust({ certificate }: Reach): ConnectionOptions {
	return certificate ? { ca: certificate } : { rejectUnauthorized: false };
}

function curl(
	url: string,
	headers: Record<string, string>,
	withCertificate = false,
): string {
	return [
		"curl",
		...(url.startsWith("https:") ? ["-k"] : []),
		...(withCertificate
			? [
					`--cert ${testKeyPath("client-cert.pem")}`,
					`--key ${testKeyPath("client-key.pem")}`,
				]
			: []),
		...Object.entries(headers).map(([name, value]) =>
			value.startsWith("Basic ")
				? `-u '${atob(value.slice("Basic ".length))}'`
				: `-H '${name}: ${value}'`,
		),
		`'${url}'`,
	].join(" ");
}
