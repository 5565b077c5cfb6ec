import { printableLine } from "../../jwk/printable";
import type { Anything, NotAccepted } from "../backend/backend";
import type { Flow } from "./flows";

/** What became of a flow. */
export interface FlowResult {
	passed: boolean;
	/** In words, safe for a terminal. */
	got: string;
	/** Why it could not be sent. */
	error?: unknown;
	/** The token as the sample backend verified it; none when it was not reached. */
	jwt?: Anything["jwt"];
}

/**
 * Runs a flow on a gateway that has the sample backend behind it. It passes when the status is the expected one and the
 * backend verified a token of the expected client, or was not reached where none is expected. Never rejects.
 */
export async function runFlow(
	flow: Pick<
		Flow,
		"send" | "status" | "curl" | "clientId" | "anyClient" | "mayBeRefused"
	>,
): Promise<FlowResult> {
	try {
		const { status, body } = await flow.send();
		const { jwt, message, reason } = answerIn(body);
		const isExpected =
			(status === flow.status &&
				(flow.anyClient || jwt?.claims.client_id === flow.clientId)) ||
			(flow.mayBeRefused && status >= 400);
		return {
			// Only the backend gives a reason.
			passed: Boolean(isExpected) && reason === undefined,
			got: `${status}  ${told(jwt, reason, message ?? body)}`,
			jwt,
		};
	} catch (error) {
		return {
			passed: false,
			got: printableLine(`${flow.curl} → ${error}`),
			error,
		};
	}
}

function told(
	jwt: Anything["jwt"] | undefined,
	reason: string | undefined,
	message: string,
): string {
	if (jwt) {
		const { auth_method, client_id } = jwt.claims;
		return `verified  ${printableLine(String(auth_method)).padEnd(8)}  client_id ${printableLine(String(client_id))}`;
	}
	return reason === undefined
		? `no token  ${printableLine(message.replace(/\s+/g, " ").trim())}`
		: `the backend was reached and refused: ${printableLine(reason)}`;
}

function answerIn(body: string): Partial<Anything & NotAccepted> {
	try {
		return JSON.parse(body);
	} catch {
		return { message: body };
	}
}
