import { copiedClaims } from "../../core/copied-claims";
import { parseConfig } from "../../plugins/x-custom-jwt/config";
import type { ConfigFields } from "../../schema/fields";
import { claimsFor } from "../support/run";
import {
	consumer,
	rawConfig,
	requests,
	unsignedToken,
} from "../support/samples";

/** What of an incoming token is copied. */
function copied(
	tokenClaims: Record<string, unknown>,
	config: Partial<ConfigFields> = {},
) {
	return Object.fromEntries(
		copiedClaims(parseConfig(rawConfig(config)).settings, tokenClaims),
	);
}

/** The claims of a token that is made from one of the jwt plugin. */
function issued(claims: object, config: object = {}) {
	const request = {
		...requests.jwt,
		consumer,
		shared: {
			authenticated_jwt_token: unsignedToken({ clientId: "shop", ...claims }),
		},
	};
	return claimsFor(request, config);
}

const OWN = ["client_id", "iss", "aud", "iat", "exp", "nbf", "jti"];
const OF_INCOMING_TOKEN = [
	"cnf",
	"at_hash",
	"c_hash",
	"s_hash",
	"nonce",
	"htm",
	"htu",
	"ath",
	"content_digest",
];

describe("a claim that describes the incoming token is never copied:", () => {
	test.each([...OWN, ...OF_INCOMING_TOKEN])("%s", (claim) => {
		const claims = { [claim]: "x", roles: ["a"] };
		for (const config of [{}, { keep_claims: [claim, "roles"] }])
			expect(copied(claims, config)).toEqual({ roles: ["a"] });
	});

	test("sub, sid and other claims about the user are", () => {
		const claims = { sub: "alice", sid: "s1", acr: "2", auth_time: 1.5 };
		expect(copied(claims)).toEqual(claims);
	});

	test("a certificate of its own is not signed for a client without one", async () => {
		const cnf = { "x5t#S256": "chosen" };
		for (const bind_certificate of [true, false])
			expect(await issued({ cnf }, { bind_certificate })).not.toHaveProperty(
				"cnf",
			);
	});

	test("unless the configuration sets it by a template", async () => {
		const cnf = { jkt: "thumbprint" };
		const set_claims = { cnf: "$(claims.cnf)" };
		expect(await issued({ cnf }, { set_claims })).toMatchObject({ cnf });
	});

	test("without bind_request a request that the client chose is not either", async () => {
		const forged = { htm: "GET", htu: "https://a", content_digest: "x" };
		expect(await issued(forged)).not.toMatchObject({ htm: "GET" });
	});
});

describe("a claim that imitates another is never copied:", () => {
	const spellings = (name: string) => [
		name.toUpperCase(),
		`${name.charAt(0).toUpperCase()}${name.slice(1)}`,
		`${name}\u200B`,
		`${name}\u0000x`,
		...(name.includes("s") ? [name.replaceAll("s", "ſ")] : []),
		...(name.includes("i") ? [name.replaceAll("i", "ı")] : []),
	];

	test.each([...OWN, ...OF_INCOMING_TOKEN, "sub", "act"])(
		"%s in all spellings",
		(name) => {
			for (const spelling of spellings(name))
				for (const config of [{}, { keep_claims: [spelling, "roles"] }])
					expect(copied({ [spelling]: "x", roles: [] }, config)).toEqual({
						roles: [],
					});
		},
	);

	test("one before the claim itself as well as one behind it", () => {
		expect(copied({ Sub: "admin", sub: "alice", SUB: "admin" })).toEqual({
			sub: "alice",
		});
	});

	test.each([
		["set_claims", { set_claims: { tenant: "a" } }],
		["add_claims", { add_claims: { tenant: "a" } }],
	])("one that %s has", async (_, config) => {
		const claims = await issued({ TENANT: "b", "tena\u00ADnt": "b" }, config);
		expect(claims).toMatchObject({ tenant: "a" });
		expect(JSON.stringify(claims)).not.toContain('"b"');
	});

	test("one that set_claims has without a value", async () => {
		const set_claims = { tenant: "$(headers.x-tenant)" };
		const claims = await issued({ TENANT: "b", tenant: "c" }, { set_claims });
		expect(JSON.stringify(claims).toLowerCase()).not.toContain("tenant");
	});

	test("the exact name of add_claims is copied and wins, as ever", async () => {
		const config = { add_claims: { tenant: "a" } };
		expect(await issued({ tenant: "c", Tenant: "b" }, config)).toMatchObject({
			tenant: "c",
		});
	});

	test("one that remove_claims names", () => {
		const config = { remove_claims: ["roles"] };
		expect(copied({ Roles: ["admin"], roles: [] }, config)).toEqual({});
	});

	test("neither of two whose names differ in their spelling only", () => {
		const claims = { email: "a", EMAIL: "b", scope: "c" };
		expect(copied(claims)).toEqual({ scope: "c" });
		expect(copied(claims, { keep_claims: ["email"] })).toEqual({ email: "a" });
	});

	test("the claim that names the client by default is not taken for client_id", () => {
		expect(copied({ clientId: "shop" })).toEqual({ clientId: "shop" });
	});
});

describe("within act", () => {
	test("nothing imitates client_id, sub, act or iss, however deep", async () => {
		const act = {
			sub: "gateway",
			iss: "https://a",
			SUB: "admin",
			Act: { sub: "admin" },
			act: { client_id: "shop", CLIENT_ID: "admin", iſſ: "admin" },
			others: [{ sub: "b", Sub: "admin", "aud\u0000": "admin" }],
		};
		const clean = {
			sub: "gateway",
			iss: "https://a",
			act: { client_id: "shop" },
			others: [{ sub: "b" }],
		};
		expect((await issued({ act })).act).toEqual({
			client_id: "alice-custom-id",
			act: clean,
		});
		expect(copied({ act })).toEqual({ act: clean });
	});

	test("no name changes a prototype, and of two spellings neither is copied", () => {
		const act = JSON.parse(
			'{"__proto__":{"sub":"admin"},"constructor":{},"sub":"a","ROLE":1,"role":2}',
		);
		expect(copied({ act })).toEqual({ act: { sub: "a" } });
	});
});
