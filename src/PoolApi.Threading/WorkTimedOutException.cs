using System.Globalization;

namespace PoolApi.Threading;

/// <summary>
/// The work exceeded its limit on run time. Its token is cancelled, but its code may still run and take effect.
/// </summary>
public sealed class WorkTimedOutException : TimeoutException
{
    internal WorkTimedOutException(string poolName, TimeSpan maxRunTime)
        : base(string.Create(CultureInfo.InvariantCulture, $"The work exceeded its run time limit of {maxRunTime.TotalSeconds:0.###} s on the pool '{poolName}'. Its code may still be running."))
    {
    }
}
