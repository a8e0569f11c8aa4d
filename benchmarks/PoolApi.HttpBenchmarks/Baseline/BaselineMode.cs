namespace PoolApi.HttpBenchmarks.Baseline;

/// <summary>How the baseline app runs the work of a request.</summary>
internal enum BaselineMode
{
    /// <summary>In the handler itself.</summary>
    Inline,

    /// <summary>By <see cref="Task.Run(Action)"/>.</summary>
    TaskRun,

    /// <summary>The same, behind a <see cref="SemaphoreSlim"/>.</summary>
    Semaphore,

    /// <summary>In the handler, behind the framework's concurrency limiter.</summary>
    Limiter,

    /// <summary>On threads that share a queue, as in the textbook.</summary>
    Textbook,

    /// <summary>On threads that block on a channel (<see cref="ChannelPool"/>).</summary>
    Channel,

    /// <summary>By the barest way to another thread and back (<see cref="BareHop"/>); it serves only requests without work.</summary>
    Bare,
}
