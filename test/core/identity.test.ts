import { identify, identityQuestions } from "../../core/identity";
import { CONSUMER, type Consumer, CREDENTIAL } from "../../core/questions";
import { refused } from "../../core/refusals";
import { testKey } from "../../local/demo/flows";
import { makeCertificate } from "../../local/gateway/certificate";
import { parseConfig } from "../../plugins/x-custom-jwt/config";
import { AUTH_METHODS } from "../../schema/fields";
import { factsOf, type KnownRequest } from "../support/facts";
import { claimsFor, run } from "../support/run";
import {
	API_KEY,
	anonymous,
	bearer,
	clientToken,
	consumer,
	credentials,
	forgedHeaders,
	rawConfig,
	requests,
	sessionOf,
	signedLooking,
	tokenClaims,
	unsignedToken,
} from "../support/samples";

const defaults = parseConfig(rawConfig()).settings;
const SUBJECT =
	"C=US, ST=California, O=Kong Inc., OU=Konnect, CN=kong, emailAddress=contact@konghq.com";

/** A certificate that an mTLS plugin verified. */
const byPlugin = {
	...requests.mtls,
	vars: { ssl_client_verify: "NONE" },
	ctx: { CLIENT_VERIFY_OVERRIDE: "SUCCESS" },
};

async function identityOf(
	request: KnownRequest,
	overrides: Partial<typeof defaults> = {},
) {
	const config = { ...defaults, ...overrides };
	const facts = await factsOf(request, [
		CREDENTIAL,
		CONSUMER,
		...identityQuestions(request.credential, config),
	]);
	const identity = identify(facts, config);
	if (!identity) throw refused("nobody_authenticated", {});
	return identity;
}

/** A 401 whose reason holds the text. */
const unauthorized = (reason: string) => ({
	status: 401,
	message: expect.stringContaining(reason),
});

describe("the client is", () => {
	test.each([
		[
			"username of a basic-auth credential",
			credentials.basic,
			"basic",
			"my-user",
		],
		["username of an LDAP credential", credentials.ldap, "basic", "ldap-user"],
		["username of an HMAC credential", credentials.hmac, "basic", "hmac-user"],
		["API key of a key-auth credential", credentials.key, "key", API_KEY],
		["client id of an OAuth2 credential", credentials.oauth2, "oauth2", "shop"],
	])(
		"the %s, whatever headers it sends",
		async (_, credential, method, clientId) => {
			const request = { credential, consumer, headers: forgedHeaders };
			expect(await identityOf(request)).toEqual({
				method,
				clientId,
				tokenClaims: {},
				consumer,
			});
		},
	);

	test.each([
		["an algorithm", { algorithm: "RS256" }],
		["a secret", { secret: "of-the-issuer" }],
		["an RSA public key", { rsa_public_key: "-----BEGIN PUBLIC KEY-----" }],
	])(
		"a claim of the token that the jwt plugin validated, by a credential with a key and %s",
		async (_, mark) => {
			const credential = { id: "1", key: "issuer", ...mark };
			expect(await identityOf({ ...requests.jwt, credential })).toEqual({
				method: "jwt",
				clientId: "web-shop",
				tokenClaims,
				consumer,
			});
		},
	);

	test("the subject of a verified client certificate, in the certificate's order", async () => {
		expect(await identityOf(requests.mtls)).toEqual({
			method: "mtls",
			clientId: SUBJECT,
			tokenClaims: {},
			consumer: undefined,
		});
	});

	test("the subject of a certificate that an mTLS plugin mapped to a consumer", async () => {
		const request = { ...byPlugin, credential: credentials.idOnly };
		expect(await identityOf({ ...request, consumer })).toEqual({
			method: "mtls",
			clientId: SUBJECT,
			tokenClaims: {},
			consumer,
		});
	});

	test.each<[string, Consumer, string]>([
		["custom_id", consumer, "alice-custom-id"],
		["username", { ...consumer, custom_id: null }, "alice"],
		["username", { ...consumer, custom_id: "" }, "alice"],
		["id", { id: consumer.id }, consumer.id],
	])(
		"a consumer's %s when another plugin authenticated it",
		async (_, who, clientId) => {
			const method = "consumer";
			const identity = { method, clientId, tokenClaims: {}, consumer: who };
			expect(await identityOf({ consumer: who })).toEqual(identity);
			expect(
				await identityOf({ consumer: who, credential: credentials.idOnly }),
			).toEqual(identity);
		},
	);
});

describe("nobody is authenticated", () => {
	test.each<[string, KnownRequest]>([
		["without credential, consumer and certificate", {}],
		["when the consumer is Kong's anonymous one", anonymous],
		[
			"when the client sends X-Consumer-* and other headers of its own",
			{ headers: forgedHeaders },
		],
		[
			"when the client calls itself anonymous",
			{ headers: { "x-anonymous-consumer": "true" } },
		],
		[
			"when an anonymous client sends a Bearer token and X-Consumer-* headers",
			{
				...anonymous,
				headers: { ...anonymous.headers, ...forgedHeaders },
			},
		],
		[
			"when Kong's anonymous mark comes in another spelling",
			{ ...anonymous, headers: { x_anonymous_consumer: "x" } },
		],
		[
			"when an anonymous client sends so many headers that Kong's mark is cut off",
			{
				...anonymous,
				headers: {
					...bearer(unsignedToken({ clientId: "admin" })),
					...Object.fromEntries(
						Array.from({ length: 100 }, (_, i) => [`x-${i}`, ""]),
					),
					...anonymous.headers,
				},
			},
		],
		[
			"when the client showed no certificate",
			{ ...requests.mtls, vars: { ssl_client_verify: "NONE" } },
		],
		[
			"when the certificate failed verification, though Kong has its chain",
			{
				...requests.mtls,
				vars: { ssl_client_verify: "FAILED:self-signed certificate" },
			},
		],
		[
			"over plain HTTP with a chain and no verdict",
			{ ...requests.mtls, vars: {} },
		],
	])("%s", async (_, request) => {
		for (const auth_methods of [defaults.auth_methods, [...AUTH_METHODS]])
			await expect(identityOf(request, { auth_methods })).rejects.toMatchObject(
				unauthorized("nobody authenticated"),
			);
	});

	test("by a credential of no known kind alone", async () => {
		await expect(
			identityOf({ credential: credentials.idOnly }),
		).rejects.toMatchObject(unauthorized("no known kind"));
	});
});

describe("auth_methods", () => {
	test.each(AUTH_METHODS)(
		"accepts %s when it is the only one",
		async (method) => {
			const { clientId } = await identityOf(requests[method], {
				auth_methods: [method],
			});
			expect(clientId).not.toBe("");
		},
	);

	test.each(AUTH_METHODS)(
		"without %s refuses it and says so",
		async (method) => {
			const others = AUTH_METHODS.filter((other) => other !== method);
			await expect(
				identityOf(requests[method], { auth_methods: others }),
			).rejects.toMatchObject(unauthorized(`authenticated by ${method},`));
		},
	);

	test("cannot turn a refused client into another one", async () => {
		const request = {
			...requests.mtls,
			...requests.key,
			headers: forgedHeaders,
		};
		await expect(
			identityOf(request, { auth_methods: ["mtls", "oidc", "consumer"] }),
		).rejects.toMatchObject(unauthorized("authenticated by key,"));
	});
});

describe("the header of an API key", () => {
	const headers = { apikey: "somebody-elses-key" };

	test.each<[string, KnownRequest]>([
		["a session", { credential: sessionOf(consumer.id), consumer }],
		["vault-auth", { credential: { id: "a", access_token: "b" }, consumer }],
		["a virtual credential", { credential: credentials.idOnly }],
	])("is not an identity behind %s", async (_, request) => {
		await expect(
			identityOf({ ...request, headers }, { auth_methods: ["key"] }),
		).rejects.toMatchObject({ status: 401 });
	});

	test("does not replace the key that key-auth authenticated", async () => {
		const request = { credential: credentials.key, headers: forgedHeaders };
		const { clientId } = await identityOf(request, { auth_methods: ["key"] });
		expect(clientId).toBe(API_KEY);
	});
});

describe("a client certificate", () => {
	const overridden = (override: unknown, verdict: string) => ({
		...requests.mtls,
		ctx: { CLIENT_VERIFY_OVERRIDE: override },
		vars: { ssl_client_verify: verdict },
	});

	test("that an mTLS plugin verified counts, whatever the listener says", async () => {
		for (const verdict of ["NONE", "FAILED:unable to verify"])
			expect(await identityOf(overridden("SUCCESS", verdict))).toMatchObject({
				clientId: SUBJECT,
			});
	});

	test.each(["NONE", "FAILED:revoked", ""])(
		"that an mTLS plugin judged %j does not count, though the listener verified it",
		async (override) => {
			await expect(
				identityOf(overridden(override, "SUCCESS")),
			).rejects.toMatchObject(unauthorized("nobody authenticated"));
		},
	);

	test("that did not verify does not stand in for the consumer that another plugin authenticated", async () => {
		const vars = { ssl_client_verify: "FAILED:self-signed certificate" };
		const request = { ...requests.mtls, ...requests.consumer, vars };
		const { clientId } = await identityOf(request);
		expect(clientId).toBe("alice-custom-id");
	});

	test("does not stand in for the credential of a security plugin", async () => {
		const request = { ...requests.mtls, ...requests.basic };
		expect((await identityOf(request)).clientId).toBe("my-user");
	});

	test("with the anonymous consumer has no consumer to act for", async () => {
		expect(await identityOf({ ...anonymous, ...byPlugin })).toEqual({
			method: "mtls",
			clientId: SUBJECT,
			tokenClaims: {},
			consumer: undefined,
		});
	});

	test("whose common name holds a comma does not look like two attributes", async () => {
		const { cert } = await makeCertificate(
			[{ O: ["Kong Inc."] }, { CN: ["kong, CN=admin"] }],
			{ days: 1 },
		);
		const { clientId } = await identityOf({
			...requests.mtls,
			certificate: cert,
		});
		expect(clientId).toBe("O=Kong Inc., CN=kong\\, CN=admin");
	});

	test("whose common name holds a line break does not look like two attributes", async () => {
		const { cert } = await makeCertificate([{ CN: ["kong\nCN=admin"] }], {
			days: 1,
		});
		const { clientId } = await identityOf({
			...requests.mtls,
			certificate: cert,
		});
		expect(clientId).toBe("CN=kong\\0ACN=admin");
	});

	test("may have a subject in any script", async () => {
		const { cert } = await makeCertificate([{ CN: ["Zoë 客户"] }], { days: 1 });
		const { clientId } = await identityOf({
			...requests.mtls,
			certificate: cert,
		});
		expect(clientId).toBe("CN=Zoë 客户");
	});

	test("is the client's own, not the authority's that follows in the chain", async () => {
		const certificate = testKey("client-cert.pem") + testKey("client-ca.pem");
		const { clientId } = await identityOf({ ...requests.mtls, certificate });
		expect(clientId).toBe(SUBJECT);
	});

	test("without a subject names no client", async () => {
		const { cert } = await makeCertificate([], { days: 1 });
		for (const certificate of [cert, "not PEM", undefined])
			await expect(
				identityOf({ ...requests.mtls, certificate }),
			).rejects.toMatchObject(unauthorized("no subject"));
	});
});

describe("an incoming token", () => {
	const withToken = (token: unknown): KnownRequest => ({
		...requests.jwt,
		shared: { authenticated_jwt_token: token },
	});

	test("whose claims are no UTF-8 is refused, as others would look alike", async () => {
		const payload = Buffer.from('{"clientId":"a\xff"}', "latin1");
		const token = `e30.${payload.toString("base64url")}.`;
		await expect(identityOf(withToken(token))).rejects.toMatchObject(
			unauthorized("left no token to read"),
		);
	});

	test("may hold - and _ in its base64url", async () => {
		const claims = { clientId: "web-shop", note: "ÿ?>~".repeat(5) };
		const token = unsignedToken(claims);
		expect(token).toMatch(/-.*_|_.*-/);
		expect((await identityOf(withToken(token))).tokenClaims).toEqual(claims);
	});

	test("names the client by the claim of the configuration", async () => {
		const config = { bearer_clientid_claim: "sub" };
		expect((await identityOf(requests.jwt, config)).clientId).toBe("alice");
		expect(
			(
				await identityOf(requests.oidc, {
					...config,
					auth_methods: ["oidc"],
				})
			).clientId,
		).toBe("alice");
	});

	test.each([
		["no client id", {}],
		["an empty client id", { clientId: "" }],
		["a truth value as client id", { clientId: true }],
		["an object as client id", { clientId: { id: "a" } }],
		["null as client id", { clientId: null }],
	])("with %s names no client", async (_, claims) => {
		const token = signedLooking({ sub: "alice", ...claims });
		const refusal = unauthorized(
			"no claim clientId that is a text or a number",
		);
		await expect(identityOf(withToken(token))).rejects.toMatchObject(refusal);
		await expect(
			identityOf(
				{ ...requests.oidc, headers: bearer(token) },
				{ auth_methods: ["oidc"] },
			),
		).rejects.toMatchObject(refusal);
	});

	describe("names the client", () => {
		const named = async (claims: object, config: object) => {
			const token = unsignedToken({ sub: "alice", ...claims });
			return (await identityOf(withToken(token), config)).clientId;
		};

		test("by a number, as its text", async () => {
			expect(await named({ clientId: 42 }, {})).toBe("42");
			expect(await named({ clientId: 0 }, {})).toBe("0");
		});

		test("by a member of a claim", async () => {
			const config = { bearer_clientid_claim: "app.client" };
			expect(await named({ app: { client: "shop" } }, config)).toBe("shop");
		});

		test("never by a number that is another one as text", async () => {
			const payload = Buffer.from('{"clientId":9007199254740993}');
			const token = `e30.${payload.toString("base64url")}.`;
			await expect(identityOf(withToken(token))).rejects.toMatchObject(
				unauthorized("beyond 2^53"),
			);
		});
	});

	test.each(["constructor", "toString", "__proto__"])(
		"does not have a claim %s that it did not come with",
		async (claim) => {
			await expect(
				identityOf(requests.jwt, { bearer_clientid_claim: claim }),
			).rejects.toMatchObject(unauthorized(claim));
		},
	);

	test.each([
		["nothing", undefined],
		["an empty text", ""],
		["a number", 7],
		["an opaque token", "opaque"],
		["JSON that is no object", "e30.WzFd.x"],
		["no JSON", "e30.bm90LWpzb24.x"],
	])("that is %s names no client", async (_, token) => {
		await expect(identityOf(withToken(token))).rejects.toMatchObject(
			unauthorized("jwt:"),
		);
	});
});

describe("oidc", () => {
	const auth_methods = [...AUTH_METHODS];
	const method = "oidc";
	const identity = { method, clientId: "web-shop", tokenClaims, consumer };
	const { headers } = requests.oidc;

	test("is opt-in: by default the Bearer token behind openid-connect is refused, with a hint", async () => {
		await expect(identityOf(requests.oidc)).rejects.toMatchObject(
			unauthorized("add oidc to auth_methods"),
		);
	});

	test.each<[string, KnownRequest]>([
		["a credential and a consumer", requests.oidc],
		["a credential only", { credential: { id: "alice" }, headers }],
		["a consumer only", { consumer, headers }],
	])(
		"reads the Bearer token when openid-connect leaves %s",
		async (_, request) => {
			expect(await identityOf(request, { auth_methods })).toEqual({
				...identity,
				consumer: request.consumer,
			});
		},
	);

	test.each(["bearer", "BEARER", "Bearer  "])(
		"knows the scheme as %s too",
		async (scheme) => {
			const headers = { authorization: `${scheme} ${clientToken}` };
			expect(
				await identityOf({ ...requests.oidc, headers }, { auth_methods }),
			).toEqual(identity);
		},
	);

	test.each([
		["an opaque token", "Bearer opaque"],
		["another scheme", `Basic ${clientToken}`],
		["two tokens", `Bearer ${clientToken} ${clientToken}`],
	])(
		"leaves the client to its consumer when Authorization holds %s",
		async (_, authorization) => {
			const request = { ...requests.oidc, headers: { authorization } };
			expect(await identityOf(request, { auth_methods })).toEqual({
				method: "consumer",
				clientId: "alice-custom-id",
				tokenClaims: {},
				consumer,
			});
		},
	);
});

describe("a Bearer token that openid-connect did not validate", () => {
	const forged = { sub: "alice", clientId: "admin", roles: ["superuser"] };
	const headers = bearer(signedLooking(forged));
	const config = { auth_methods: [...AUTH_METHODS] };

	test.each<[string, KnownRequest]>([
		["a session", { credential: sessionOf(consumer.id), consumer, headers }],
		[
			"vault-auth",
			{ credential: { id: "alice", access_token: "a" }, consumer, headers },
		],
		["another client", { credential: { id: "bob" }, headers }],
		[
			"another consumer",
			{ consumer: { ...consumer, username: "bob", custom_id: "7" }, headers },
		],
		[
			"openid-connect, when nobody signed it",
			{ ...requests.oidc, headers: bearer(unsignedToken(forged)) },
		],
		[
			"openid-connect, when its signature was removed",
			{
				...requests.oidc,
				headers: bearer(`${signedLooking(forged).split(".", 2).join(".")}.`),
			},
		],
	])("is rejected behind %s", async (_, request) => {
		await expect(identityOf(request, config)).rejects.toMatchObject(
			unauthorized("not one that openid-connect validated"),
		);
	});

	test("is accepted when it names the client in a claim of a claim", async () => {
		const nested = { clientId: "web-shop", realm: { user: "alice" } };
		const { clientId } = await identityOf(
			{ credential: { id: "alice" }, headers: bearer(signedLooking(nested)) },
			config,
		);
		expect(clientId).toBe("web-shop");
	});
});

describe("set_claims.client_id stands in for the client ID of the method", () => {
	const azpOrAppid = {
		client_id: "$(claims.azp or claims.appid or claims.cid.id)",
	};
	const ofToken = (claims: object): KnownRequest => ({
		...requests.jwt,
		shared: { authenticated_jwt_token: unsignedToken(claims) },
	});

	test.each([
		[{ azp: "a", appid: "b" }, "a"],
		[{ appid: "b" }, "b"],
		[{ azp: null, cid: { id: "c" } }, "c"],
		[{ clientId: "not asked for", "cid.id": "d" }, "d"],
		[{ clientId: 1.5, azp: "a" }, "a"],
	])(
		"by the first of several claims that the token has: %j",
		async (claims, client_id) => {
			const config = { set_claims: azpOrAppid, keep_claims: [] };
			expect(await claimsFor(ofToken(claims), config)).toMatchObject({
				client_id,
			});
		},
	);

	test("of openid-connect's token, too", async () => {
		const config = { set_claims: { client_id: "$(claims.sub)" } };
		const headers = bearer(signedLooking({ sub: "alice" }));
		expect(
			await claimsFor(
				{ ...requests.oidc, headers },
				{ ...config, auth_methods: ["oidc"] },
			),
		).toMatchObject({ client_id: "alice" });
	});

	test("of a certificate that has nothing of certificate_clientid", async () => {
		const names = [{ type: "url", value: "spiffe://a/b" }] as const;
		const { cert } = await makeCertificate([], { days: 1, names: [...names] });
		const request = { ...requests.mtls, certificate: cert };
		for (const text of [
			"$(certificate.san.uri | join ' ')",
			"a-$(certificate.serial)",
		])
			expect(
				await claimsFor(request, { set_claims: { client_id: text } }),
			).toHaveProperty("client_id");
	});

	test.each([
		[
			{ clientId: "shop" },
			"no value of $(claims.azp), $(claims.appid), $(claims.cid.id)",
		],
		[{ clientId: "shop", azp: "" }, "is empty"],
		[{ clientId: "shop", azp: 7 }, "is not a string"],
		[{ clientId: "shop", azp: { id: "a" }, appid: "b" }, "is not a string"],
	])("and does not fall back on it: %j is 401", async (claims, reason) => {
		const config = { set_claims: azpOrAppid };
		const { exit, logs } = await run(ofToken(claims), config);
		expect(exit?.status).toBe(401);
		expect(logs[0]?.message).toContain(reason);
	});
});

describe("the issuer of a validated token", () => {
	const withIssuer = (claims: object, header: object = {}): KnownRequest => {
		const part = (value: object) =>
			Buffer.from(JSON.stringify(value)).toString("base64url");
		const token = `${part({ alg: "HS256", ...header })}.${part({ clientId: "a", ...claims })}.c2ln`;
		return { ...requests.jwt, shared: { authenticated_jwt_token: token } };
	};

	test("is the claim by which Kong found the credential", async () => {
		expect(await identityOf(withIssuer({ iss: "issuer" }))).toMatchObject({
			issuer: "issuer",
		});
	});

	test("is unknown when Kong found the credential by something else", async () => {
		for (const claims of [{}, { iss: "https://another" }]) {
			const { issuer } = await identityOf(withIssuer(claims));
			expect(issuer).toBeUndefined();
		}
	});

	test.each([
		["is in the header only", {}, { iss: "issuer" }],
		[
			"is a list, and the header has another",
			{ iss: ["x"] },
			{ iss: "issuer" },
		],
		["is null", { iss: null }, {}],
		["is false", { iss: false }, { iss: "issuer" }],
		["is a number", { iss: 7 }, {}],
	])("is not accepted when it %s", async (_, claims, header) => {
		await expect(identityOf(withIssuer(claims, header))).rejects.toMatchObject(
			unauthorized("not the issuer that Kong found the credential by"),
		);
	});
});

describe("a client cannot pass for another one", () => {
	test("by a forged Bearer token on a key-auth route", async () => {
		const request = { ...requests.key, headers: forgedHeaders };
		for (const auth_methods of [defaults.auth_methods, [...AUTH_METHODS]])
			expect(await identityOf(request, { auth_methods })).toEqual({
				method: "key",
				clientId: API_KEY,
				tokenClaims: {},
				consumer,
			});
	});

	test.each([
		["with a consumer", consumer],
		["without consumer", undefined],
	])("by a forged Bearer token behind a session cookie, %s", async (_, who) => {
		const request = {
			credential: credentials.idOnly,
			consumer: who,
			headers: forgedHeaders,
		};
		await expect(identityOf(request)).rejects.toMatchObject(
			unauthorized("authenticated by oidc,"),
		);
	});

	test("by a forged API key on a Basic route", async () => {
		const request = { ...requests.basic, headers: forgedHeaders };
		expect((await identityOf(request)).clientId).toBe("my-user");
		await expect(
			identityOf(request, { auth_methods: ["key"] }),
		).rejects.toMatchObject(unauthorized("authenticated by basic,"));
	});

	test("by a second token in Authorization when the jwt plugin validated the one in the query", async () => {
		const request = { ...requests.jwt, headers: forgedHeaders };
		expect(await identityOf(request)).toEqual({
			method: "jwt",
			clientId: "web-shop",
			tokenClaims,
			consumer,
		});
	});

	test.each(["basic", "jwt", "key", "oauth2", "mtls"] as const)(
		"or shake off its consumer by calling itself anonymous, by %s",
		async (method) => {
			const credential = requests[method].credential ?? credentials.idOnly;
			const request = { ...requests[method], credential, consumer };
			const headers = { "x-anonymous-consumer": "true" };
			expect(await identityOf({ ...request, headers })).toEqual(
				await identityOf(request),
			);
		},
	);
});

describe("the certificate that the listener verified", () => {
	const verified = { ...requests.mtls };

	test("is not the client when a plugin authenticated somebody: a load balancer has one too", async () => {
		const bob = { ...consumer, id: "b", custom_id: "bob" };
		for (const [who, clientId] of [
			[consumer, "alice-custom-id"],
			[bob, "bob"],
		] as const)
			for (const credential of [credentials.idOnly, undefined])
				expect(
					await identityOf({ ...verified, consumer: who, credential }),
				).toMatchObject({ method: "consumer", clientId });
	});

	test("is not the client when Kong put its anonymous consumer in", async () => {
		await expect(
			identityOf({ ...verified, ...anonymous }),
		).rejects.toMatchObject(unauthorized("nobody authenticated"));
	});

	test("is not the client when there is a credential of no known kind", async () => {
		await expect(
			identityOf({ ...verified, credential: credentials.idOnly }),
		).rejects.toMatchObject(unauthorized("no known kind"));
	});

	test("is the client though it calls itself anonymous", async () => {
		const headers = { "x-anonymous-consumer": "true" };
		expect(await identityOf({ ...verified, headers })).toMatchObject({
			method: "mtls",
			clientId: SUBJECT,
		});
	});

	test("is the client before a Bearer token that no plugin looked at", async () => {
		const request = { ...verified, headers: bearer(clientToken) };
		expect(await identityOf(request)).toMatchObject({ clientId: SUBJECT });
	});
});

describe("users of one name are told apart", () => {
	test("of two identity providers, whose credentials are one consumer's, by $(auth.issuer)", async () => {
		const set_claims = { idp: "$(auth.issuer)" };
		for (const iss of ["https://idp-a.example", "https://idp-b.example"]) {
			const claims = { clientId: "portal", sub: "ceo", iss };
			const request = {
				...requests.jwt,
				credential: { ...credentials.jwt, key: iss },
				shared: { authenticated_jwt_token: unsignedToken(claims) },
			};
			expect(await claimsFor(request, { set_claims })).toMatchObject({
				client_id: "portal",
				sub: "ceo",
				act: { client_id: consumer.custom_id },
				idp: iss,
			});
		}
		const ofKey = await claimsFor(requests.key, { set_claims });
		expect(ofKey).not.toHaveProperty("idp");
	});

	test("of two authorities' certificates by $(certificate.issuer)", async () => {
		const set_claims = { ca: "$(certificate.issuer)" };
		for (const name of ["Authority A", "Authority B"]) {
			const issuer = await makeCertificate([{ CN: [name] }], {
				ca: true,
				days: 1,
			});
			const { cert } = await makeCertificate([{ CN: ["orders"] }], {
				issuer,
				days: 1,
			});
			const request = { ...requests.mtls, certificate: cert };
			expect(await claimsFor(request, { set_claims })).toMatchObject({
				client_id: "CN=orders",
				ca: `CN=${name}`,
			});
		}
	});
});

describe("certificate_clientid", () => {
	let spiffe: string;
	beforeAll(async () => {
		spiffe = (
			await makeCertificate([], {
				days: 1,
				names: [{ type: "url", value: "spiffe://example.org/orders" }],
			})
		).cert;
	});

	test("names what of the certificate the client is called by, the first that there is", async () => {
		const request = { ...requests.mtls, certificate: spiffe };
		const config = { certificate_clientid: ["subject", "san.uri" as const] };
		expect(
			await identityOf(request, config as Partial<typeof defaults>),
		).toMatchObject({ clientId: "spiffe://example.org/orders" });
	});

	test("falls back on the consumer that Kong found for a certificate without a subject", async () => {
		const request = { ...byPlugin, certificate: spiffe, consumer };
		expect(await identityOf(request)).toMatchObject({
			method: "mtls",
			clientId: "alice-custom-id",
			consumer,
		});
	});

	test("is named when the certificate has nothing of it, and there is no consumer", async () => {
		const request = { ...requests.mtls, certificate: spiffe };
		await expect(identityOf(request)).rejects.toMatchObject(
			unauthorized("the verified certificate has no subject"),
		);
	});
});

describe("an entity of odd shape, which is none of Kong's,", () => {
	test.each<[string, KnownRequest]>([
		["a consumer without id", { consumer: {} as Consumer }],
		["a consumer whose id is empty", { consumer: { ...consumer, id: "" } }],
		[
			"a consumer whose id is a number",
			{ consumer: { ...consumer, id: 7 } as unknown as Consumer },
		],
		["a credential without id", { credential: { username: "a" } }],
		[
			"a credential whose id is a number",
			{ credential: { ...credentials.key, id: 7 } },
		],
	])("is refused: %s", async (_, odd) => {
		const request = { ...requests.key, ...odd };
		await expect(identityOf(request)).rejects.toMatchObject(
			unauthorized("no id that is a text"),
		);
	});

	test.each([7, ["bob"], { name: "bob" }, true])(
		"has no custom_id or username that is no text: %j",
		async (name) => {
			const odd = { id: consumer.id, custom_id: name, username: name };
			const request = {
				...requests.consumer,
				consumer: odd as unknown as Consumer,
			};
			expect(await identityOf(request)).toMatchObject({
				clientId: consumer.id,
			});
		},
	);
});

describe("a text with bytes that are no UTF-8", () => {
	const broken = "b\uFFFDb";
	test.each<[string, KnownRequest, Partial<typeof defaults>?]>([
		["a user name", { credential: { ...credentials.basic, username: broken } }],
		["an API key", { credential: { ...credentials.key, key: broken } }],
		[
			"half a surrogate pair",
			{ credential: { ...credentials.key, key: "\uD800" } },
		],
		[
			"a consumer's name",
			{ ...requests.consumer, consumer: { ...consumer, custom_id: broken } },
		],
		[
			"a consumer's tag",
			{ ...requests.key, consumer: { ...consumer, tags: [broken] } },
		],
		[
			"a validated token",
			{
				...requests.jwt,
				shared: { authenticated_jwt_token: `${clientToken}${broken}` },
			},
		],
		[
			"a Bearer token",
			{
				...requests.oidc,
				headers: { authorization: `Bearer\uFFFD\uFFFD${clientToken}` },
			},
			{ auth_methods: ["oidc", "consumer"] },
		],
	])("is refused: %s", async (_, request, config = {}) => {
		await expect(identityOf(request, config)).rejects.toMatchObject({
			status: 401,
			reason: "not_utf8",
		});
	});
});

describe("Kong's anonymous consumer", () => {
	test("is a client by its own name when unauthenticated says so", async () => {
		const config = { unauthenticated: "anonymous" as const };
		expect(await identityOf(anonymous, config)).toEqual({
			method: "anonymous",
			clientId: "guest",
			tokenClaims: {},
			consumer: undefined,
		});
	});

	test("is no client of a request that Kong did not put it in", async () => {
		for (const request of [{}, { headers: anonymous.headers ?? {} }])
			await expect(
				identityOf(request, { unauthenticated: "anonymous" }),
			).rejects.toMatchObject(unauthorized("nobody authenticated"));
	});
});
