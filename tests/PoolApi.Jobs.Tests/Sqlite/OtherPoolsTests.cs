using System.Diagnostics;
using PoolApi.Jobs.Sqlite;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Sqlite;

/// <summary>A claim of one pool costs the same however many jobs of other pools are queued.</summary>
public sealed class OtherPoolsTests : IDisposable
{
    private const int Others = 100_000;
    private static readonly int MostMilliseconds = Math.Min(40, MachineLoad.Stretch(5));

    private readonly StorePlace _place = new();

    public void Dispose() => _place.Dispose();

    [Fact]
    public async Task A_claim_does_not_read_the_queue_of_another_pool()
    {
        using (Database database = Database.Open(_place.File, mayCreate: true))
        {
            Schema.Update(database, _place.File);
            Fill(database, "reports");
        }
        await using SqliteJobStore store = await _place.OpenAsync();

        foreach (KindFilter kinds in new[] { KindFilter.Only(["thumbnails"]), KindFilter.AllBut(["reports"]) })
        {
            TimeSpan least = TimeSpan.MaxValue;
            // The shortest of many claims counts, because a busy machine delays most of them. A claim that reads all jobs always takes some 150 ms.
            for (int n = 0; n < 1000 && least.TotalMilliseconds > MostMilliseconds; n++)
            {
                long start = Stopwatch.GetTimestamp();
                JobClaims none = await store.ClaimAsync("instance", 4, long.MaxValue, Jobs.LongLease, kinds, Token);
                TimeSpan took = Stopwatch.GetElapsedTime(start);
                Assert.Empty(none.Claims);
                if (took < least) least = took;
            }
            TestContext.Current.TestOutputHelper?.WriteLine($"{least.TotalMilliseconds} ms");
            Assert.InRange(least.TotalMilliseconds, 0, MostMilliseconds);
        }
    }

    private static void Fill(Database database, string kind) => database.Execute(
        $"""
        WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {Others})
        INSERT INTO jobs (id, kind, state, version, attempt, max_attempts, priority, created_at, run_at, due, cancel, claim, ended_claim, redeliveries, swept)
        SELECT CAST(printf('%016d', n) AS BLOB), '{kind}', 0, 1, 0, 3, 0, n, n, n, 0, 0, 0, 0, 0 FROM n;
        UPDATE counts SET jobs = {Others} WHERE state = 0;
        """);
}
