import { describe, expect, it } from "vitest";
import { isTimeZone, parseTimeOfDay, TimeWindow, WEEKDAYS, ZoneClock, type Weekday } from "./time-window.ts";

const at = (text: string): number => Date.parse(text);
const window = (timezone: string, from: string, to: string, days: readonly Weekday[] = WEEKDAYS): TimeWindow =>
  new TimeWindow(new ZoneClock(timezone), days, parseTimeOfDay(from) ?? Number.NaN, parseTimeOfDay(to) ?? Number.NaN);

describe("a time window", () => {
  it("follows the clock of its zone through the seasons", () => {
    const office = window("Europe/Berlin", "09:00", "17:00");
    expect(office.contains(at("2026-01-15T08:00:00Z"))).toBe(true);
    expect(office.contains(at("2026-01-15T07:59:59Z"))).toBe(false);
    expect(office.contains(at("2026-07-15T07:00:00Z"))).toBe(true);
    expect(office.contains(at("2026-07-15T06:59:59Z"))).toBe(false);
    expect(office.contains(at("2026-07-15T15:00:00Z"))).toBe(false);
  });

  it("never opens in the hour that the start of summer time skips", () => {
    const skipped = window("Europe/Berlin", "02:00", "03:00");
    const minutes = Array.from({ length: 24 * 60 }, (_, minute) => at("2026-03-29T00:00:00+01:00") + minute * 60_000);
    expect(minutes.filter((minute) => skipped.contains(minute) && minute < at("2026-03-30T00:00:00+02:00"))).toEqual([]);
  });

  it("opens twice in the hour that the end of summer time repeats", () => {
    const repeated = window("Europe/Berlin", "02:00", "03:00");
    const minutes = Array.from({ length: 25 * 60 }, (_, minute) => at("2026-10-25T00:00:00+02:00") + minute * 60_000);
    expect(minutes.filter((minute) => repeated.contains(minute))).toHaveLength(120);
  });

  it("knows the half-hour shift of Lord Howe Island", () => {
    const early = window("Australia/Lord_Howe", "02:00", "02:30");
    // Clocks go from 02:00 (+10:30) to 02:30 (+11:00) on Sunday 4 October 2026.
    expect(early.contains(at("2026-10-03T15:29:59Z"))).toBe(false);
    expect(early.contains(at("2026-10-03T15:30:00Z"))).toBe(false);
    expect(window("Australia/Lord_Howe", "02:30", "03:00").contains(at("2026-10-03T15:30:00Z"))).toBe(true);
  });

  it("that ends before it starts runs past midnight and belongs to the day of its start", () => {
    const night = window("UTC", "22:00", "06:00", ["fri"]);
    expect(night.contains(at("2026-01-02T22:00:00Z"))).toBe(true);
    expect(night.contains(at("2026-01-03T05:59:00Z"))).toBe(true);
    expect(night.contains(at("2026-01-03T06:00:00Z"))).toBe(false);
    expect(night.contains(at("2026-01-02T05:00:00Z"))).toBe(false);
  });

  it("that runs from Sunday into Monday wraps around the week", () => {
    const night = window("UTC", "22:00", "06:00", ["sun"]);
    expect(night.contains(at("2026-01-05T05:59:00Z"))).toBe(true);
    expect(night.contains(at("2026-01-05T06:00:00Z"))).toBe(false);
    expect(night.contains(at("2026-01-04T21:59:00Z"))).toBe(false);
  });

  it("starts only on its days", () => {
    const weekdays = window("America/New_York", "00:00", "24:00", ["mon", "tue", "wed", "thu", "fri"]);
    expect(weekdays.contains(at("2026-01-03T04:59:00Z"))).toBe(true);
    expect(weekdays.contains(at("2026-01-03T05:00:00Z"))).toBe(false);
    expect(weekdays.contains(at("2026-01-05T05:00:00Z"))).toBe(true);
  });

  it("throws for what is no time, so that the decision is deny", () => {
    expect(() => window("UTC", "00:00", "24:00").contains(Number.NaN)).toThrow(RangeError);
  });
});

describe("a time of day", () => {
  it.each([
    ["00:00", 0],
    ["23:59", 1439],
    ["24:00", 1440],
    ["24:01", undefined],
    ["9:00", undefined],
    ["09:60", undefined],
    ["0900", undefined],
  ])("%s is %s minutes", (text, minutes) => {
    expect(parseTimeOfDay(text)).toBe(minutes);
  });
});

describe("a time zone", () => {
  it.each([
    ["Europe/Berlin", true],
    ["UTC", true],
    ["+02:00", false],
    ["Europe/Atlantis", false],
    ["", false],
  ])("%s is known: %s", (name, known) => {
    expect(isTimeZone(name)).toBe(known);
  });
});
