using System.Text.RegularExpressions;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Dashboard.Recording;
using PoolApi.Dashboard.Streams;
using PoolApi.Threading;
using PoolApi.Threading.Core.Recording;

namespace PoolApi.Dashboard.Tests;

/// <summary>Records are merged into pieces of a strip. The number of pieces is bounded, whatever the pool has run.</summary>
public sealed partial class PieceTests
{
    private const int Records = 20_000;
    private const int Most = 800;

    [Theory]
    [InlineData("a", "a", WorkOutcome.Completed, WorkOutcome.Completed, "a", "completed")]
    [InlineData("a", "b", WorkOutcome.Completed, WorkOutcome.Completed, "several kinds", "completed")]
    [InlineData("a", "a", WorkOutcome.Completed, WorkOutcome.Failed, "a", "failed")]
    [InlineData("a", "b", WorkOutcome.TimedOut, WorkOutcome.Cancelled, "several kinds", "timedOut")]
    public void Many_short_items_are_merged_into_few_pieces_that_keep_their_count_and_busy_time(string kind, string other, WorkOutcome outcome, WorkOutcome otherOutcome, string expectedKind, string expectedOutcome)
    {
        using var pool = new FixedThreadPool(new FixedThreadPoolOptions { Workers = 1, TimeProvider = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000)) });
        var time = new PoolTime(pool.Core);
        long step = time.ToTicks(TimeSpan.FromMilliseconds(0.2));
        var items = new List<RecordedItem>();
        for (int i = 0; i < Records; i++)
        {
            long started = time.Now - ((Records - i) * step);
            items.Add(new RecordedItem("cpu", 0, new ItemRecord
            {
                Kind = i % 2 == 0 ? kind : other,
                Mark = started,
                Started = started,
                Ended = started + step,
                Count = 1,
                Form = RecordForm.Item,
                Outcome = i % 2 == 0 ? outcome : otherOutcome,
            }));
        }

        List<Piece> pieces = Piece.Of(items, time, 0, Most);
        Assert.InRange(pieces.Count, 2, Most);
        Assert.Equal(Records, pieces.Sum(static piece => piece.Count));
        Assert.Equal(Records * 0.2, pieces.Sum(static piece => piece.BusyMs), 0.001);
        Assert.All(pieces.SkipLast(1), piece => Assert.Equal((expectedKind, expectedOutcome), (piece.Kind, piece.Outcome)));
    }

    [Fact]
    public void A_merged_piece_is_late_if_one_of_its_items_was()
    {
        using var pool = new FixedThreadPool(new FixedThreadPoolOptions { Workers = 1, TimeProvider = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000)) });
        var time = new PoolTime(pool.Core);
        long step = time.ToTicks(TimeSpan.FromMilliseconds(0.2));
        List<RecordedItem> items = [.. Enumerable.Range(0, Records).Select(i => new RecordedItem("cpu", 0, new ItemRecord
        {
            Kind = "a",
            Started = time.Now - ((Records - i) * step),
            Ended = time.Now - ((Records - i - 1) * step),
            Count = 1,
            Form = i % 2 == 0 ? RecordForm.Item : RecordForm.Late,
            Outcome = WorkOutcome.Completed,
        }))];
        List<Piece> pieces = Piece.Of(items, time, 0, Most);
        Assert.InRange(pieces.Count, 2, Most);
        Assert.All(pieces.SkipLast(1), static piece => Assert.Equal("late", piece.Outcome));
    }

    [Fact]
    public void The_page_marks_the_same_outcomes_as_failures_as_the_merging_of_pieces()
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "src", "PoolApi.Dashboard", "Pages", "Assets", "lanes.js"));
        string[] marked = [.. Quoted().Matches(Marked().Match(page).Groups[1].Value).Select(static outcome => outcome.Groups[1].Value)];
        string[] outcomes = ["completed", "failed", "cancelled", "expired", "clientGone", "notStarted", "abandoned", "timedOut", "late", "suspended"];
        Assert.Equal(outcomes.Where(Piece.IsFailure).Order(), marked.Order());
    }

    [Fact]
    public void A_few_items_stay_separate_pieces_with_their_own_kinds()
    {
        using var pool = new FixedThreadPool(new FixedThreadPoolOptions { Workers = 1, TimeProvider = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000)) });
        var time = new PoolTime(pool.Core);
        long step = time.ToTicks(TimeSpan.FromMilliseconds(1));
        List<RecordedItem> items = [.. Enumerable.Range(0, 10).Select(i => new RecordedItem("cpu", 0, new ItemRecord
        {
            Kind = $"k{i % 2}",
            Started = time.Now - ((10 - i) * step),
            Ended = time.Now - ((9 - i) * step),
            Count = 1,
            Form = RecordForm.Item,
            Outcome = WorkOutcome.Completed,
        }))];
        Assert.Equal(["k0", "k1", "k0", "k1", "k0", "k1", "k0", "k1", "k0", "k1"], Piece.Of(items, time, 0, Most).Select(static piece => piece.Kind));
    }

    [GeneratedRegex(@"const bad = new Set\(\[(.*)\]\)")]
    private static partial Regex Marked();

    [GeneratedRegex("\"(\\w+)\"")]
    private static partial Regex Quoted();
}
