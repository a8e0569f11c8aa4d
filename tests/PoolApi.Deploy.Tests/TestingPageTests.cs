using System.Text.RegularExpressions;
using PoolApi.Threading;

namespace PoolApi.Deploy.Tests;

/// <summary>The code of docs/testing.md, as a reader's test.</summary>
public sealed partial class TestingPageTests
{
    [Fact]
    public async Task The_example_of_the_page_is_rejected_by_a_full_queue()
    {
        await using var pool = new FixedThreadPool(new() { Workers = 1, QueueCapacity = 1 });
        using var goOn = new ManualResetEventSlim();
        var started = new TaskCompletionSource();
        Task running = pool.RunAsync(() => { started.SetResult(); goOn.Wait(); }).AsTask();
        await started.Task;
        Task queued = pool.RunAsync(() => { }).AsTask();

        await Assert.ThrowsAsync<WorkRejectedException>(async () => await pool.RunAsync(() => { }));

        goOn.Set();
        await Task.WhenAll(running, queued);
        await pool.ShutdownAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(2, pool.GetSnapshot().Counts[WorkOutcome.Completed]);
    }

    [Fact]
    public void Each_code_line_of_the_page_occurs_in_this_test()
    {
        string code = File.ReadAllText(Path.Combine(Repository.Root, "tests", "PoolApi.Deploy.Tests", "TestingPageTests.cs"));
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "testing.md"));
        string[] lines = [.. Block().Matches(page).SelectMany(static block => block.Groups[1].Value.Split('\n'))
            .Select(static line => line.Split("  //")[0].Trim()).Where(static line => line.Length > 0)];
        Assert.True(lines.Length > 8, $"The page has {lines.Length} lines of code.");
        Assert.All(lines, line => Assert.Contains($"        {line}\n", code, StringComparison.Ordinal));
    }

    [GeneratedRegex("^```csharp\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();
}
