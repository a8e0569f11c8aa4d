using System.Runtime.CompilerServices;

namespace PoolApi.Threading;

/// <content>The interface for an admission control in front of the pool.</content>
public sealed partial class FixedThreadPool : IPoolAdmission
{
    bool IPoolAdmission.IsLikelyFull => !_core.Views.HasLikelyRoom;

    TimeSpan IPoolAdmission.EstimateQueueTime() => _core.Views.EstimateQueueTime();

    Task IPoolAdmission.NextIdleAsync() => _core.Idle.Next();

    void IPoolAdmission.SetOrder(bool newestFirst) => _core.Queue.TakesNewestFirst = newestFirst;

    void IPoolAdmission.CountRejected(string reason)
    {
        ArgumentException.ThrowIfNullOrEmpty(reason);
        _core.Observers.Refused(reason, items: 1);
    }

    void IPoolAdmission.DeclareLabels(string? kind, string? rejection, string? withdrawal)
    {
        if (kind is not null) _core.Labels.AddKind(NotEmpty(kind));
        if (rejection is not null) _core.Labels.AddReason(NotEmpty(rejection));
        if (withdrawal is not null) _core.Labels.AddWithdrawal(NotEmpty(withdrawal));

        static string NotEmpty(string value, [CallerArgumentExpression(nameof(value))] string name = "")
        {
            ArgumentException.ThrowIfNullOrEmpty(value, name);
            return value;
        }
    }
}
