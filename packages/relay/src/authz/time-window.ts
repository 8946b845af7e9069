// Time windows of policies: local wall-clock time in an IANA zone, as minutes of a week. A window that ends before it
// starts runs past midnight and belongs to the day on which it starts. Must not know policies or requests.

export const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Weekday = (typeof WEEKDAYS)[number];

const MINUTES_PER_DAY = 1_440;
const MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY;
const MS_PER_MINUTE = 60_000;
const TIME_OF_DAY = /^([01]\d|2[0-3]):([0-5]\d)$/;

/** `00:00` to `24:00` as minutes of the day; undefined for anything else. */
export function parseTimeOfDay(text: string): number | undefined {
  if (text === "24:00") return MINUTES_PER_DAY;
  const match = TIME_OF_DAY.exec(text);
  return match === null ? undefined : Number(match[1]) * 60 + Number(match[2]);
}

/** Whether the runtime's zone database holds this name. Offsets such as `+02:00` are refused: they have no summer time. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** Wall clock of one zone. Remembers the minute it was last asked for, because formatting costs microseconds. */
export class ZoneClock {
  readonly timezone: string;
  readonly #format: Intl.DateTimeFormat;
  #minute = Number.NaN;
  #minuteOfWeek = 0;

  constructor(timezone: string) {
    this.timezone = timezone;
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone: timezone,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
  }

  /**
   * Minutes since Monday 00:00 local time, 0 to 10,079.
   * @throws RangeError when `nowMs` is not a time.
   */
  minuteOfWeek(nowMs: number): number {
    const minute = Math.floor(nowMs / MS_PER_MINUTE);
    if (minute !== this.#minute) {
      this.#minuteOfWeek = this.#read(nowMs);
      this.#minute = minute;
    }
    return this.#minuteOfWeek;
  }

  /** `Mon 09:30 Europe/Berlin`. */
  describe(nowMs: number): string {
    const minute = this.minuteOfWeek(nowMs);
    const ofDay = minute % MINUTES_PER_DAY;
    const pad = (value: number): string => String(value).padStart(2, "0");
    return `${WEEKDAYS[Math.floor(minute / MINUTES_PER_DAY)]} ${pad(Math.floor(ofDay / 60))}:${pad(ofDay % 60)} ${this.timezone}`;
  }

  #read(nowMs: number): number {
    const parts = new Map(this.#format.formatToParts(nowMs).map((part) => [part.type, part.value]));
    const day = WEEKDAYS.indexOf((parts.get("weekday") ?? "").toLowerCase() as Weekday);
    return day * MINUTES_PER_DAY + Number(parts.get("hour")) * 60 + Number(parts.get("minute"));
  }
}

/** Minutes of the week in [start, end); an end beyond the week wraps into Monday. */
interface Span {
  readonly start: number;
  readonly end: number;
}

export class TimeWindow {
  readonly #clock: ZoneClock;
  readonly #spans: readonly Span[];

  /** @param from minutes of the day, 0 to 1,439. @param to 1 to 1,440, exclusive; at or before `from`: on the next day. */
  constructor(clock: ZoneClock, days: readonly Weekday[], from: number, to: number) {
    this.#clock = clock;
    const length = to > from ? to - from : to - from + MINUTES_PER_DAY;
    this.#spans = days.map((day) => {
      const start = WEEKDAYS.indexOf(day) * MINUTES_PER_DAY + from;
      return { start, end: start + length };
    });
  }

  contains(nowMs: number): boolean {
    const minute = this.#clock.minuteOfWeek(nowMs);
    return this.#spans.some(({ start, end }) => (minute >= start && minute < end) || minute + MINUTES_PER_WEEK < end);
  }

  describe(nowMs: number): string {
    return this.#clock.describe(nowMs);
  }
}
