using PoolApi.Dashboard.Recording;
using PoolApi.Dashboard.Traces;
using PoolApi.Dashboard.Traces.Formats;

namespace PoolApi.Dashboard.Tests.Recording;

/// <summary>The pauses of garbage collections follow each other on their track, at every time of day and from every origin.</summary>
public sealed class GcTrackTests
{
    private static readonly DateTime Zero = new(2026, 11, 29, 8, 21, 7, 123, DateTimeKind.Utc);

    [Fact]
    public void Pauses_that_follow_each_other_at_once_do_not_overlap()
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
        GcPause[] pauses =
        [
            new(1, 0, Zero.AddMilliseconds(-1), TimeSpan.FromMilliseconds(1), false),
            new(2, 1, Zero.AddMilliseconds(3), TimeSpan.FromMilliseconds(4), false),
            new(3, 2, Zero.AddMilliseconds(4), TimeSpan.FromMilliseconds(1), true),
        ];
        (long Collection, long Start, long Duration)[] placed =
            [.. GcTrack.Place(pauses, Zero, 1, 1).Select(static p => (p.Pause.Index, p.Slice.Start, p.Slice.Duration))];
        Assert.Equal([(2, 0, 3_000_000), (3, 3_000_000, 1_000_000)], placed);
    }
}
