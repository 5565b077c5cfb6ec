/** What the sample backend and the inspector page tell each other, as JSON. */
import type { Expectations } from "../backend/verify";

/** A request that reached the sample backend. */
export interface ReceivedRequest {
	/** Counts up, so that the page can tell two requests apart. */
	id: number;
	/** When it came, in milliseconds since the epoch, with fractions. */
	time: number;
	/** `X-Kong-Request-Id`, which the gateway gives the client too; missing without a gateway. */
	requestId?: string;
	/** Path the client asked the gateway for: the route's, and what follows it. */
	path: string;
	/** The consumer that the verified token names in `act`. */
	consumer?: string;
	/** Status of the backend's answer. */
	status: number;
	/** Why the backend refused it. */
	reason?: string;
	/** Value of `X-Custom-Jwt`; empty without one. */
	token: string;
	/** The request's own token: `Authorization: Bearer`, or `?jwt=`; not verified, maybe no JWT. */
	incoming?: string;
	/** Milliseconds the backend took to verify the token, and to fetch the JWK Set when it had none. */
	verifyMs: number;
	/** What its token is verified against, where that is not the same for all requests. */
	expectations?: Expectations;
}

/** What the page has to know before it can start. */
export interface Settings {
	/** URL of the gateway's JWK Set, as a browser reaches it. */
	jwksUrl: string;
	expectations: Expectations;
	/** The flows that the backend can send, with the status that each should get. */
	flows: { name: string; status: number }[];
}

/** What the gateway answered to a flow. */
export interface FlowOutcome {
	status: number;
	body: string;
	/** The token that the client sent, not verified, maybe no JWT; missing when it sent none. */
	incoming?: string;
	/** Milliseconds from sending to the end of the answer, as the sender measured them. */
	totalMs: number;
	/** Missing when the backend was not reached. */
	backend?: {
		/** Milliseconds of them until the request came to the backend. */
		arrivalMs: number;
		request: ReceivedRequest;
	};
}
