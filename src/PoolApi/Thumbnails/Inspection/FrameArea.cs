namespace PoolApi.Thumbnails.Inspection;

/// <summary>The area of an animation's first frame on its canvas. The rest of the canvas is transparent.</summary>
internal readonly record struct FrameArea(int Left, int Top, int Width, int Height, int CanvasWidth, int CanvasHeight)
{
    /// <summary>Whether the frame covers the canvas.</summary>
    public bool IsWhole => Left <= 0 && Top <= 0 && Left + Width >= CanvasWidth && Top + Height >= CanvasHeight;

    /// <summary>Whether the whole frame is on the canvas.</summary>
    public bool IsInside => Left >= 0 && Top >= 0 && Width > 0 && Height > 0 && Left + Width <= CanvasWidth && Top + Height <= CanvasHeight;
}
