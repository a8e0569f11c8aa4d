namespace PoolApi.Threading;

/// <content>For an admission control in front of the pool.</content>
public sealed partial class FixedThreadPool : IPoolAdmission
{
    bool IPoolAdmission.IsLikelyFull => !_core.Views.HasRoomGuess;

    TimeSpan IPoolAdmission.EstimateQueueTime() => _core.Views.EstimateQueueTime();

    Task IPoolAdmission.NextIdleAsync() => _core.Idle.Next();

    void IPoolAdmission.SetOrder(bool newestFirst) => _core.Queue.TakesNewestFirst = newestFirst;

    void IPoolAdmission.CountRejected(string reason)
    {
        ArgumentException.ThrowIfNullOrEmpty(reason);
        _core.Records.Refused(reason, 1);
        _core.Instruments.Rejected(_core, reason);
    }

    void IPoolAdmission.DeclareKind(string kind)
    {
        ArgumentException.ThrowIfNullOrEmpty(kind);
        _core.Labels.AddKind(kind);
    }

    void IPoolAdmission.DeclareRejection(string reason)
    {
        ArgumentException.ThrowIfNullOrEmpty(reason);
        _core.Labels.AddReason(reason);
    }

    void IPoolAdmission.DeclareWithdrawal(string reason)
    {
        ArgumentException.ThrowIfNullOrEmpty(reason);
        _core.Labels.AddWithdrawal(reason);
    }
}
