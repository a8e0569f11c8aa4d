namespace PoolApi.Thumbnails.Inspection;

/// <summary>Where the first frame of an animation lies on its canvas. What it does not cover is transparent.</summary>
internal readonly record struct FrameArea(int Left, int Top, int Width, int Height, int CanvasWidth, int CanvasHeight)
{
    /// <summary>Whether it covers the canvas.</summary>
    public bool IsWhole => Left <= 0 && Top <= 0 && Left + Width >= CanvasWidth && Top + Height >= CanvasHeight;

    /// <summary>Whether it is on the canvas with all of its pixels.</summary>
    public bool IsInside => Left >= 0 && Top >= 0 && Width > 0 && Height > 0 && Left + Width <= CanvasWidth && Top + Height <= CanvasHeight;
}
