using PoolApi.Dashboard.Recording;
using PoolApi.Dashboard.Traces;
using PoolApi.Dashboard.Traces.Formats;

namespace PoolApi.Dashboard.Tests.Recording;

/// <summary>The pauses of garbage collections are placed on their track to the tick, without overlap.</summary>
public sealed class GcTrackTests
{
    private static readonly DateTime Zero = new(2026, 11, 29, 8, 21, 7, 123, DateTimeKind.Utc);

    [Fact]
    public void Adjacent_pauses_do_not_overlap()
    {
        var random = new Random(1);
        var pauses = new List<GcPause>();
        DateTime end = Zero;
        for (int i = 1; i <= 10_000; i++)
        {
            TimeSpan length = TimeSpan.FromTicks(random.Next(1, 200_000));
            end += length;
            pauses.Add(new GcPause(i, i % 3, end, length, false));
        }
        TraceSlice[] slices = [.. GcTrack.Place(pauses, Zero, 1, 1).Select(static p => p.Slice)];
        Assert.Equal(pauses.Count, slices.Length);
        for (int i = 1; i < slices.Length; i++) Assert.Equal(slices[i - 1].Start + slices[i - 1].Duration, slices[i].Start);
    }

    [Fact]
    public void A_pause_that_began_before_the_trace_is_cut_and_one_that_ended_before_it_is_left_out()
    {
        Assert.Equal([(2, 0, 3_000_000), (3, 3_000_000, 1_000_000)], Place([Pause(1, end: -1, 1), Pause(2, end: 3, 4), Pause(3, end: 4, 1)]));
    }

    [Fact]
    public void After_the_system_clock_was_set_back_pauses_are_left_out_or_cut_until_it_has_caught_up()
    {
        Assert.Equal(
            [(1, 8_000_000, 2_000_000), (3, 10_000_000, 1_000_000), (4, 12_000_000, 1_000_000)],
            Place([Pause(1, end: 10, 2), Pause(2, end: 5, 0), Pause(3, end: 11, 3), Pause(4, end: 13, 1)]));
    }

    private static GcPause Pause(long index, double end, double length) =>
        new(index, 0, Zero.AddMilliseconds(end), TimeSpan.FromMilliseconds(length), false);

    private static (long Collection, long Start, long Duration)[] Place(GcPause[] pauses) =>
        [.. GcTrack.Place(pauses, Zero, 1, 1).Select(static p => (p.Pause.Index, p.Slice.Start, p.Slice.Duration))];
}
