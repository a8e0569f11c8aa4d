using PoolApi.AspNetCore;
using PoolApi.Jobs.Running;

namespace PoolApi.Jobs.AspNetCore.Hosting;

/// <summary>The bytes of the jobs that this instance has claimed, for the metrics.</summary>
internal sealed class JobBudget(JobDispatchers dispatchers) : IMeasuredBudget
{
    public string Name => "jobs";

    public long Used => dispatchers.BytesInHand;

    public long Limit => dispatchers.MaxBytesInHand;
}
