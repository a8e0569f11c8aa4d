using PoolApi.AspNetCore;
using PoolApi.Jobs.Running;

namespace PoolApi.Jobs.AspNetCore.Hosting;

/// <summary>The bytes of the jobs that this instance has claimed, for the metrics.</summary>
internal sealed class JobBudget(JobDispatcher dispatcher) : IMeasuredBudget
{
    public string Name => "jobs";

    public long Used => dispatcher.BytesInHand;

    public long Limit => dispatcher.MaxBytesInHand;
}
