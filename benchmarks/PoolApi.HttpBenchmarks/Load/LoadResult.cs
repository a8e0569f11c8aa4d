namespace PoolApi.HttpBenchmarks.Load;

/// <summary>The results of a <see cref="LoadPlan"/>.</summary>
internal sealed class LoadResult(LoadPlan plan, IReadOnlyList<Answer> answers)
{
    public int Served => answers.Count(a => a.IsServed);

    public int Rejected => answers.Count(a => a.IsRejected);

    public int GaveUp => answers.Count(a => a.Status == Answer.GaveUp);

    /// <summary>Neither served, nor rejected, nor given up: other statuses, and connections that broke.</summary>
    public int Others => answers.Count - Served - Rejected - GaveUp;

    /// <summary>Requests served within a window as long as the load, which begins when the first response is possible. Requests
    /// that are served from the queue after the load has ended do not count.</summary>
    /// <param name="workTime">The time the work itself takes.</param>
    public double ServedPerSecond(TimeSpan workTime) =>
        answers.Count(a => a.IsServed && a.Ended <= plan.Duration + workTime) / plan.Duration.TotalSeconds;

    /// <returns>Milliseconds; <see langword="null"/> if none was served.</returns>
    public double? ServedPercentile(double percent) => Percentile(answers.Where(a => a.IsServed), percent);

    /// <returns>Milliseconds; <see langword="null"/> if none was rejected.</returns>
    public double? RejectedPercentile(double percent) => Percentile(answers.Where(a => a.IsRejected), percent);

    /// <summary>Of all requests. If one was not served, its latency is the time after which a client gives up.</summary>
    public double Percentile(double percent) =>
        Percentile(answers.Select(a => a.IsServed ? a : a with { Ended = a.Planned + plan.Patience }), percent)!.Value;

    private static double? Percentile(IEnumerable<Answer> some, double percent)
    {
        double[] sorted = [.. some.Select(a => a.Latency.TotalMilliseconds).Order()];
        return sorted.Length == 0 ? null : sorted[Math.Max(0, (int)Math.Ceiling(sorted.Length * percent / 100) - 1)];
    }
}
