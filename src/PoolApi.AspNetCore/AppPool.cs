using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Overload;
using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>A pool in the app: the threads, and what bounds the requests in front of them.</summary>
internal sealed class AppPool(FixedThreadPool threads, PoolOptions options, AnswerBudget answers, TimeProvider time)
{
    public FixedThreadPool Threads => threads;

    public PoolOptions Options => options;

    /// <summary>The bytes that the bodies of waiting requests hold.</summary>
    public ByteBudget Bodies { get; } = new(options.QueueBytes);

    /// <summary>The bytes of answers that clients have not read yet; of all pools of the app.</summary>
    public AnswerBudget Answers => answers;

    /// <summary>What is let in while more comes than the pool can do.</summary>
    public OverloadControl Overload { get; } =
        new(threads.EstimateQueueTime, newestFirst => threads.TakesNewestFirst = newestFirst, time);
}
